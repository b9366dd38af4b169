package origin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// Guessing is limited by address and by what is guessed at: after so many failures in a row
// each further one doubles the wait.
const (
	freePerAddress = 5
	freePerName    = 10
	firstWait      = time.Minute
	longestWait    = 15 * time.Minute
	// forgetFew is when failures below the limit are forgotten, forgetMany when all are.
	forgetFew  = time.Minute
	forgetMany = time.Hour
)

// guess is what failures are counted under.
type guess struct {
	key  string
	free int // failures before the first wait
}

// byAddress counts failures of one kind ("login", "token", "setup", "link") from an
// address. A global IPv6 address stands for its /56, which one customer has.
func byAddress(kind string, remote netip.Addr) guess {
	a := remote.Unmap().WithZone("")
	text := a.String()
	if a.Is6() && a.IsGlobalUnicast() && !a.IsPrivate() {
		if p, err := a.Prefix(56); err == nil {
			text = p.String()
		}
	}
	return guess{kind + "-addr/" + text, freePerAddress}
}

// byName counts failures of one kind at one target: an account, a link. The name may be
// anything a stranger typed.
func byName(kind, name string) guess {
	name = strings.ToLower(name)
	if checkName(name) != nil { // too long, or not a name at all
		sum := sha256.Sum256([]byte(name))
		name = "#" + hex.EncodeToString(sum[:16])
	}
	return guess{kind + "-user/" + name, freePerName}
}

// limit returns fault.Limited, with RetryAfter, while one of the guesses has to wait.
func (s *Server) limit(tx *catalog.Tx, guesses ...guess) error {
	now := s.now()
	var longest time.Duration
	for _, g := range guesses {
		a, err := tx.Attempts.Attempt(g.key)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return fmt.Errorf("read attempts: %w", err)
		}
		longest = max(longest, g.wait(a, now))
	}
	if longest > 0 {
		return retryLater(fault.Limited, longest, "too many failed tries: wait %v", roundUp(longest))
	}
	return nil
}

// failed counts one failure under each guess. It returns a note for the audit entry
// when that began a wait.
func (s *Server) failed(tx *catalog.Tx, guesses ...guess) (note string, _ error) {
	now := s.now()
	for _, g := range guesses {
		a, err := tx.Attempts.Attempt(g.key)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return "", fmt.Errorf("read attempts: %w", err)
		}
		if a.Count > 0 && g.forgotten(a, now) {
			if err := tx.Attempts.ClearAttempts(g.key); err != nil {
				return "", fmt.Errorf("clear attempts: %w", err)
			}
		}
		if a, err = tx.Attempts.AddAttempt(g.key, now); err != nil {
			return "", fmt.Errorf("count attempt: %w", err)
		}
		if w := g.wait(a, now); w > 0 {
			note = strings.TrimPrefix(note+fmt.Sprintf(", %s waits %v after %d failures", g.key, w, a.Count), ", ")
		}
	}
	return note, nil
}

// passed forgets the failures under each guess.
func (s *Server) passed(tx *catalog.Tx, guesses ...guess) error {
	for _, g := range guesses {
		if err := tx.Attempts.ClearAttempts(g.key); err != nil {
			return fmt.Errorf("clear attempts: %w", err)
		}
	}
	return nil
}

// wait returns how long nothing may be tried, at most longestWait. A failure in the future is from
// before the clock was set back: the next one will be counted on today's clock.
func (g guess) wait(a catalog.Attempt, now time.Time) time.Duration {
	if a.Count < g.free || now.Before(a.Last) || g.forgotten(a, now) {
		return 0
	}
	return max(0, a.Last.Add(backoff(a.Count-g.free)).Sub(now))
}

func (g guess) forgotten(a catalog.Attempt, now time.Time) bool {
	keep := forgetMany
	if a.Count < g.free {
		keep = forgetFew
	}
	return now.Sub(a.Last) >= keep
}

// backoff is the wait after n failures more than are free.
func backoff(n int) time.Duration {
	if n > 4 { // 16 minutes and more
		return longestWait
	}
	return min(longestWait, firstWait<<n)
}

func roundUp(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// later is an error that says when to try again.
type later struct {
	error
	after time.Duration
}

func (l *later) Unwrap() error { return l.error }

func retryLater(kind fault.Kind, after time.Duration, format string, args ...any) error {
	return &later{fault.Errorf(kind, format, args...), after}
}

// RetryAfter returns the wait that a fault.Limited or fault.Busy error asks for.
func RetryAfter(err error) (time.Duration, bool) {
	var l *later
	if errors.As(err, &l) {
		return roundUp(l.after), true
	}
	return 0, false
}

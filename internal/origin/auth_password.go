package origin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// Lengths of a password.
const (
	minPassword = 10  // characters
	maxPassword = 256 // bytes
)

// Two passwords are hashed at a time and so many wait; who comes then is told to
// come again.
const (
	hashing = 2
	waiting = 32
)

// Bounds of what a stored hash may cost, so that a damaged one cannot take the machine down.
const (
	maxArgonTime    = 64
	maxArgonMemory  = 1 << 20 // KiB
	maxArgonThreads = 64
)

// hasher computes argon2id, no more than a few at a time.
type hasher struct {
	cost    Argon2
	slots   chan struct{}
	line    chan struct{} // who computes or waits
	absent  phc           // what is compared with where there is no password
	counter atomic.Int64  // computations so far
}

func newHasher(cost Argon2, random io.Reader) (*hasher, error) {
	if !cost.sane() {
		return nil, fault.Errorf(fault.Invalid, "cost of passwords: %d passes over %d KiB by %d threads", cost.Time, cost.Memory, cost.Threads)
	}
	h := &hasher{cost: cost, slots: make(chan struct{}, hashing), line: make(chan struct{}, hashing+waiting)}
	// No password has this hash but by breaking SHA-256.
	h.absent = phc{cost: cost, salt: make([]byte, saltLength), sum: make([]byte, sumLength)}
	for _, b := range [][]byte{h.absent.salt, h.absent.sum} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("read randomness: %w", err)
		}
	}
	return h, nil
}

func (a Argon2) sane() bool {
	return a.Time >= 1 && a.Time <= maxArgonTime && a.Threads >= 1 && a.Threads <= maxArgonThreads &&
		a.Memory >= 8*uint32(a.Threads) && a.Memory <= maxArgonMemory
}

// sum is one computation, after waiting for its turn.
func (h *hasher) sum(ctx context.Context, p phc, password string) ([]byte, error) {
	select {
	case h.line <- struct{}{}:
		defer func() { <-h.line }()
	default:
		return nil, retryLater(fault.Limited, time.Second, "too many people sign in at this moment: try again")
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Closed, ctx.Err())
	}
	h.counter.Add(1)
	return argon2.IDKey([]byte(norm.NFC.String(password)), p.salt, p.cost.Time, p.cost.Memory, p.cost.Threads, uint32(len(p.sum))), nil
}

// hashPassword returns the PHC string of a new password.
func (s *Server) hashPassword(ctx context.Context, password string) (string, error) {
	p := phc{cost: s.people.hasher.cost, salt: make([]byte, saltLength), sum: make([]byte, sumLength)}
	if err := s.random(p.salt); err != nil {
		return "", err
	}
	sum, err := s.people.hasher.sum(ctx, p, password)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	p.sum = sum
	return p.String(), nil
}

// checkPassword says whether password is that of a PHC string. It does one computation,
// always: where stored is empty or unreadable, one of the usual cost, and the answer is no.
func (s *Server) checkPassword(ctx context.Context, stored, password string) (bool, error) {
	p, err := parsePHC(stored)
	if err != nil {
		if stored != "" {
			s.cfg.Log.Error("a stored password cannot be read", "err", err)
		}
		p = s.people.hasher.absent
	}
	sum, hashErr := s.people.hasher.sum(ctx, p, password)
	if hashErr != nil {
		return false, fmt.Errorf("check password: %w", hashErr)
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && err == nil, nil
}

// aged says whether a stored password was hashed at another cost than is usual now.
func (s *Server) aged(stored string) bool {
	p, err := parsePHC(stored)
	return err == nil && p.cost != s.people.hasher.cost
}

// checkNewPassword says what is wrong with a password that somebody chose for name.
func checkNewPassword(name, password string) error {
	switch {
	case !utf8.ValidString(password):
		return fault.Errorf(fault.Invalid, "password: not UTF-8")
	case utf8.RuneCountInString(password) < minPassword:
		return fault.Errorf(fault.Invalid, "password: shorter than %d characters", minPassword)
	case len(password) > maxPassword:
		return fault.Errorf(fault.Invalid, "password: longer than %d bytes", maxPassword)
	case strings.EqualFold(password, name):
		return fault.Errorf(fault.Invalid, "password: it is the name")
	}
	return nil
}

// phc is an argon2id hash as it is written down: the Password Hashing Competition's string format.
type phc struct {
	cost      Argon2
	salt, sum []byte
}

const (
	saltLength = 16
	sumLength  = 32
)

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cost.Memory, p.cost.Time, p.cost.Threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.sum))
}

// parsePHC reads what String writes, and nothing else.
func parsePHC(text string) (phc, error) {
	const most = 256
	bad := fault.Errorf(fault.Invalid, "not an argon2id string")
	if len(text) > most {
		return phc{}, bad
	}
	part := strings.Split(text, "$")
	if len(part) != 6 {
		return phc{}, bad
	}
	var p phc
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.cost.Memory, &p.cost.Time, &p.cost.Threads); err != nil {
		return phc{}, bad
	}
	b64 := base64.RawStdEncoding.Strict()
	var errs [2]error
	p.salt, errs[0] = b64.DecodeString(part[4])
	p.sum, errs[1] = b64.DecodeString(part[5])
	if errs[0] != nil || errs[1] != nil || len(p.salt) < 8 || len(p.sum) < 16 || !p.cost.sane() || p.String() != text {
		return phc{}, bad
	}
	return p, nil
}

// --- secrets

// Prefixes tell what a secret is, to people and to scanners of leaked secrets.
const (
	sessionPrefix    = "tds_"
	tokenPrefix      = "tdt_"
	invitationPrefix = "tdi_"
	setupPrefix      = "tdu_"
	secretLength     = 32 // bytes
)

// secret makes a secret and what is kept of it.
func (s *Server) secret(prefix string) (string, content.Hash, error) {
	var b [secretLength]byte
	if err := s.random(b[:]); err != nil {
		return "", content.Hash{}, err
	}
	text := prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashSecret(text), nil
}

// wellFormed says whether text looks like a secret of this kind: others need not be looked for.
func wellFormed(prefix, text string) bool {
	rest, ok := strings.CutPrefix(text, prefix)
	return ok && len(rest) == base64.RawURLEncoding.EncodedLen(secretLength)
}

func hashSecret(text string) content.Hash { return sha256.Sum256([]byte(text)) }

// random fills b. Several requests may ask at the same time.
func (s *Server) random(b []byte) error {
	if _, err := io.ReadFull(s.people.random, b); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	return nil
}

// lockedReader lets several read from a reader that knows nothing of it, as those of tests do.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func lockReader(r io.Reader) io.Reader {
	if r == rand.Reader {
		return r
	}
	return &lockedReader{r: r}
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

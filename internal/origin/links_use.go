package origin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

const (
	// proofFor is how long a link stays unlocked.
	proofFor = 24 * time.Hour
	// proofKey is the setting that keeps the secret of the proofs, of all instances.
	proofKey = "links/secret"
)

// linkDesk is what the links' side of a Server keeps in memory. The zero value works.
type linkDesk struct {
	once   sync.Once
	known  *cache[shown, Caller]
	wanted chan struct{} // of capacity 1: a .torrent is to be made

	mu     sync.Mutex // guards the field below
	secret []byte
}

// shown is what somebody shows who comes by a link.
type shown struct{ token, proof string }

func (d *linkDesk) open() {
	d.once.Do(func() {
		d.known = newCache[shown, Caller](openKeep, openMost)
		d.wanted = make(chan struct{}, 1)
	})
}

// wake tells the maker of .torrent files that there is one to make.
func (d *linkDesk) wake() {
	d.open()
	select {
	case d.wanted <- struct{}{}:
	default:
	}
}

// ByLink completes c with the link that token names; what the link allows is decided by the methods that take the
// Caller. proof is what UnlockLink gave, "" otherwise. An unknown token is fault.NotFound, an expired or revoked link
// or one whose file is gone is fault.Gone. Guessing is limited. Locked links pass, with
// Subject.Link.Locked set; every method but UnlockLink then answers fault.Unauthenticated.
//
// Answers are remembered for at most a second.
func (s *Server) ByLink(ctx context.Context, c Caller, token, proof string) (Caller, error) {
	s.links.open()
	gen, now := s.writes(), s.now()
	key := shown{token, proof}
	if len(proof) <= 256 {
		in, done := s.links.known.turn(ctx, key, gen, now)
		if done != nil {
			defer done()
		} else if !ranOut(in.Link.Expires, now) {
			return in.asking(c), nil
		}
	}
	if !linkTokenLike(token) {
		return c, s.strangeLink(ctx, c)
	}
	in, err := s.byLink(ctx, c, token, proof)
	switch {
	case errors.Is(err, fault.NotFound):
		return c, s.strangeLink(ctx, c)
	case err != nil:
		return c, err
	}
	if in.Link.MaxDownloads == 0 && len(proof) <= 256 {
		s.links.known.put(key, in, gen, now)
	}
	return in, nil
}

func ranOut(expires, now time.Time) bool { return !expires.IsZero() && !now.Before(expires) }

func linkTokenLike(token string) bool {
	if len(token) != tokenChars {
		return false
	}
	for _, b := range []byte(token) {
		if b < '0' || '9' < b && b < 'A' || 'Z' < b && b < 'a' || 'z' < b {
			return false
		}
	}
	return true
}

// errNoLink is the answer for a token that names nothing.
func errNoLink() error { return fault.Errorf(fault.NotFound, "there is no such link") }

// strangeLink counts a guess and returns the answer to give. Who shows a link that is no more is not
// thereby kept from unlocking one that is.
func (s *Server) strangeLink(ctx context.Context, c Caller) error {
	from := byAddress("link-token", c.Remote)
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error { return s.limit(tx, from) })
	if err != nil {
		return err
	}
	err = s.progress(ctx, func(tx *catalog.Tx) error {
		_, err := s.failed(tx, from)
		return err
	})
	return errors.Join(errNoLink(), err)
}

// byLink reads a link and says what it is good for.
func (s *Server) byLink(ctx context.Context, c Caller, token, proof string) (Caller, error) {
	secret, err := s.proofSecret(ctx, proof != "")
	if err != nil {
		return c, err
	}
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		l, err := tx.Links.LinkByToken(token)
		if err != nil {
			return err
		}
		now := s.now()
		if !l.Revoked.IsZero() || ranOut(l.Expires, now) {
			return errLinkEnded()
		}
		if l.Pending != "" { // it leads nowhere, and to join its swarm is decided there
			c.User, c.Session, c.Token = catalog.User{}, 0, 0
			c.Link = &l
			c.Subject = policy.Subject{Link: &policy.Link{Expires: l.Expires, Creator: policy.Subject{User: int64(l.By)}}}
			return nil
		}
		_, live, err := tx.Tree.Path(l.Node)
		if errors.Is(err, fault.NotFound) || err == nil && !live {
			return errLinkEnded()
		}
		if err != nil {
			return fmt.Errorf("link %d: %w", l.ID, err)
		}
		n, err := tx.Tree.Node(l.Node)
		if err != nil {
			return fmt.Errorf("link %d: %w", l.ID, err)
		}
		c.User, c.Session, c.Token = catalog.User{}, 0, 0
		c.Link = &l
		c.Subject = policy.Subject{Link: &policy.Link{
			Allows: allows(l.Kind, n.Folder), Expires: l.Expires,
			Locked:  l.Password != "" && !checkProof(secret, l, proof, now),
			UsedUp:  l.MaxDownloads > 0 && l.Downloads >= l.MaxDownloads,
			Creator: policy.Subject{User: int64(l.By)},
		}}
		return nil
	})
	return c, err
}

func allows(k catalog.LinkKind, folder bool) policy.Rights {
	switch {
	case k == catalog.UploadLink:
		return policy.Publish
	case folder:
		return policy.Read | policy.List
	}
	return policy.Read
}

// UnlockLink checks a link's password and returns a proof that holds for a day on all instances, until the password
// changes. Wrong ones are limited as logins are.
func (s *Server) UnlockLink(ctx context.Context, c Caller, token, password string) (proof string, _ error) {
	in, err := s.ByLink(ctx, c, token, "")
	if err != nil {
		return "", err
	}
	l := *in.Link
	guesses := []guess{byAddress("link", c.Remote), byName("link", fmt.Sprint(l.ID))}
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error { return s.limit(tx, guesses...) })
	if err != nil {
		return "", err
	}
	if len(password) > maxLinkPassword {
		password = ""
	}
	ok := l.Password == ""
	if !ok {
		if ok, err = s.checkPassword(ctx, l.Password, password); err != nil {
			return "", err
		}
	}
	if !ok {
		wrong := fault.Errorf(fault.Unauthenticated, "the password of the link is not right")
		return "", s.countFailure(ctx, in, "unlock", fmt.Sprintf("link %d", l.ID), wrong, guesses...)
	}
	secret, err := s.proofSecret(ctx, true)
	if err != nil {
		return "", err
	}
	err = s.progress(ctx, func(tx *catalog.Tx) error {
		if err := s.limit(tx, guesses...); err != nil { // guesses side by side were faster
			return err
		}
		return s.passed(tx, guesses[1:]...)
	})
	if err != nil {
		return "", err
	}
	return makeProof(secret, l, s.now().Add(proofFor)), nil
}

// A proof is its end (8 bytes, Unix seconds) and an HMAC-SHA256 over the link, its password's hash and the end.
func makeProof(secret []byte, l catalog.Link, until time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, proofSum(secret, l, b)...))
}

func checkProof(secret []byte, l catalog.Link, proof string, now time.Time) bool {
	if len(proof) != base64.RawURLEncoding.EncodedLen(8+sha256.Size) { // the decoder skips line ends
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(proof)
	if err != nil || len(b) != 8+sha256.Size || len(secret) == 0 {
		return false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	// Not one from before the clock was set back either.
	return hmac.Equal(b[8:], proofSum(secret, l, b[:8])) && now.Before(until) && until.Sub(now) <= proofFor+time.Minute
}

func proofSum(secret []byte, l catalog.Link, until []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("tandem/v1/link-proof\x00"))
	h.Write(until)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(l.ID)))
	h.Write([]byte(l.Password))
	return h.Sum(nil)
}

// proofSecret returns the secret of the proofs; it is made when it is first needed.
func (s *Server) proofSecret(ctx context.Context, needed bool) ([]byte, error) {
	s.links.mu.Lock()
	secret := s.links.secret
	s.links.mu.Unlock()
	if secret != nil || !needed {
		return secret, nil
	}
	fresh := make([]byte, len(content.Hash{}))
	if err := s.random(fresh); err != nil {
		return nil, fmt.Errorf("random: %w", err)
	}
	var text string
	err := s.progress(ctx, func(tx *catalog.Tx) error {
		var err error
		text, err = tx.Settings.Get(proofKey)
		if errors.Is(err, fault.NotFound) {
			text = base64.StdEncoding.EncodeToString(fresh)
			err = tx.Settings.Set(proofKey, text)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("secret of links: %w", err)
	}
	if secret, err = base64.StdEncoding.DecodeString(text); err != nil {
		return nil, fmt.Errorf("secret of links: %w", err)
	}
	s.links.mu.Lock()
	defer s.links.mu.Unlock()
	s.links.secret = secret
	return secret, nil
}

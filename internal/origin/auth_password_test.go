package origin

import (
	"context"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
)

func TestPasswordsWaitInABoundedLine(t *testing.T) {
	o := newOffice(t)
	h := o.people.hasher
	for range hashing {
		h.slots <- struct{}{} // two are being hashed
		h.line <- struct{}{}
	}
	waiter, leave := context.WithCancel(o.ctx)
	left := make(chan error, waiting)
	for range waiting {
		go func() {
			_, err := o.checkPassword(waiter, "", "x")
			left <- err
		}()
	}
	for len(h.line) < cap(h.line) {
		select {
		case err := <-left:
			t.Fatalf("did not wait: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	_, _, err := o.Login(o.ctx, from(1), "root", rightPassword, "")
	want(t, err, fault.Limited)
	if _, ok := RetryAfter(err); !ok {
		t.Fatal("does not say when to try again")
	}
	leave()
	for range waiting {
		want(t, <-left, fault.Closed)
	}
	for range hashing {
		<-h.slots
		<-h.line
	}
	ok(t, o.tryLogin(1, rightPassword))
}

func TestNewPasswords(t *testing.T) {
	for _, c := range []struct {
		name, password string
		fine           bool
	}{
		{"ten characters", "0123456789", true},
		{"nine characters", "012345678", false},
		{"ten characters of several bytes", strings.Repeat("\u00e9", 10), true},
		{"nine of several bytes", strings.Repeat("\u00e9", 9), false},
		{"256 bytes", strings.Repeat("x", 256), true},
		{"257 bytes", strings.Repeat("x", 257), false},
		{"not UTF-8", "0123456789\xff", false},
		{"the name", "Annabelle.Lee", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := checkNewPassword("annabelle.lee", c.password); (err == nil) != c.fine {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestTheUsualCostIsThatOfOWASP(t *testing.T) {
	if got := DefaultArgon2(); got != (Argon2{Time: 2, Memory: 19456, Threads: 1}) {
		t.Fatalf("got %+v", got)
	}
	p := phc{cost: DefaultArgon2(), salt: make([]byte, saltLength), sum: make([]byte, sumLength)}
	const form = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if p.String() != form {
		t.Fatalf("got %q", p)
	}
}

// A vector of another implementation: the reference's command line, argon2id, salt "somesalt".
func TestAHashOfTheReferenceIsUnderstood(t *testing.T) {
	o := emptyOffice(t)
	const stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	right, err := o.checkPassword(o.ctx, stored, "password")
	ok(t, err)
	if !right {
		t.Fatal("the right password is wrong")
	}
	if right, _ := o.checkPassword(o.ctx, stored, "differentpassword"); right {
		t.Fatal("a wrong password is right")
	}
}

// What is accepted is written the same way again, and costs no more than a machine has.
func FuzzParsePHC(f *testing.F) {
	for _, s := range []string{
		"", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=8,t=-1,p=256$AAAA$AAAA", "$argon2id$v=19$m=+8,t=01,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		strings.Repeat("$", 300),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePHC(text)
		if err != nil {
			return
		}
		if p.String() != text || !p.cost.sane() || len(p.salt) > 256 || len(p.sum) > 256 {
			t.Fatalf("%q read as %+v", text, p)
		}
	})
}

package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"sync"
)

// proofs remembers which link passwords were found right, so that a client that
// sends one with every request costs one argon2 and not a thousand. A proof
// that no longer holds is refused by the server, and the password asked again.
type proofs struct {
	key [32]byte // so that what is remembered tells nobody a password

	mu    sync.Mutex // guards known
	known map[[32]byte]string
}

// maxProofs bounds what is remembered; beyond it all is forgotten.
const maxProofs = 1024

func newProofs(rand io.Reader) (*proofs, error) {
	p := &proofs{known: make(map[[32]byte]string)}
	_, err := io.ReadFull(rand, p.key[:])
	return p, err
}

func (p *proofs) name(token, password string) (name [32]byte) {
	m := hmac.New(sha256.New, p.key[:])
	_, _ = io.WriteString(m, token+"\x00"+password)
	m.Sum(name[:0])
	return name
}

func (p *proofs) get(token, password string) (string, bool) {
	name := p.name(token, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	proof, ok := p.known[name]
	return proof, ok
}

func (p *proofs) put(token, password, proof string) {
	name := p.name(token, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxProofs {
		clear(p.known)
	}
	p.known[name] = proof
}

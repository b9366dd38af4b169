package origin

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// swarmSeed is the setting from which the server's key and the secrets of its links come, on all instances.
const swarmSeed = "swarm/seed"

// keys are what the server signs with and derives secrets from.
type keys struct {
	id     peer.ID
	sign   ed25519.PrivateKey
	secret []byte
}

// keyring remembers the keys once they were read.
type keyring struct {
	mu sync.Mutex // guards the field below
	k  *keys
}

// ServerID is the public half of the server's key, which is made on the first use and is the
// same for all instances.
func (s *Server) ServerID(ctx context.Context) (peer.ID, error) {
	k, err := s.keys(ctx)
	if err != nil {
		return peer.ID{}, err
	}
	return k.id, nil
}

// keys returns the server's keys; they are made when they are first needed.
func (s *Server) keys(ctx context.Context) (*keys, error) {
	ring := &s.swarm.keyring
	ring.mu.Lock()
	defer ring.mu.Unlock()
	if ring.k != nil {
		return ring.k, nil
	}
	var text string
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		text, err = setting(tx, swarmSeed)
		return err
	})
	if err == nil && text == "" {
		text, err = s.makeSeed(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the server: %w", err)
	}
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fault.Errorf(fault.Corrupt, "key of the server: the setting %s is no seed", swarmSeed)
	}
	if ring.k, err = keysOf(seed); err != nil {
		return nil, fmt.Errorf("key of the server: %w", err)
	}
	return ring.k, nil
}

// makeSeed keeps a new seed, unless another instance was faster, and returns what is there.
func (s *Server) makeSeed(ctx context.Context) (text string, _ error) {
	fresh := make([]byte, ed25519.SeedSize)
	if err := s.random(fresh); err != nil {
		return "", err
	}
	err := s.progress(ctx, func(tx *catalog.Tx) (err error) {
		text, err = tx.Settings.Get(swarmSeed)
		if errors.Is(err, fault.NotFound) {
			text = base64.StdEncoding.EncodeToString(fresh)
			err = tx.Settings.Set(swarmSeed, text)
		}
		return err
	})
	return text, err
}

// keysOf derives the keys, so that neither tells of the other.
func keysOf(seed []byte) (*keys, error) {
	sign, err := hkdf.Key(sha256.New, seed, nil, "tandem/v1 server key", ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	secret, err := hkdf.Key(sha256.New, seed, nil, "tandem/v1 link secrets", len(content.Hash{}))
	if err != nil {
		return nil, err
	}
	k := &keys{sign: ed25519.NewKeyFromSeed(sign), secret: secret}
	k.id = peer.ID(k.sign.Public().(ed25519.PublicKey))
	return k, nil
}

// linkSecret is the secret in the tickets of a link to a share.
func (k *keys) linkSecret(token string, share content.Hash) [32]byte {
	secret, err := hkdf.Key(sha256.New, k.secret, share[:], "tandem/v1 link secret\x00"+token, 32)
	if err != nil { // only FIPS mode refuses, and never a secret of this length
		panic("origin: derive the secret of a link: " + err.Error())
	}
	return [32]byte(secret)
}

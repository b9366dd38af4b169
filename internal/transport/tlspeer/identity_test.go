package tlspeer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/peer"
)

func TestIdentityStaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "identity.key")
	first, err := LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	if first.ID() != again.ID() || first.ID().IsZero() {
		t.Fatalf("was %v, is %v", first.ID(), again.ID())
	}
	if !bytes.Equal(first.leaf.Certificate[0], again.leaf.Certificate[0]) {
		t.Fatal("the certificate changed")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestProcessesThatStartAtOnceShareOneIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.key")
	var (
		work sync.WaitGroup
		mu   sync.Mutex
		ids  = map[peer.ID]int{}
	)
	for range 16 {
		work.Go(func() {
			id, err := LoadIdentity(path)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[id.ID()]++
		})
	}
	work.Wait()
	if len(ids) != 1 {
		t.Fatalf("%d identities", len(ids))
	}
}

func TestIdentityIsNeverReplaced(t *testing.T) {
	id := identity(t)
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		t.Fatal(err)
	}
	good := pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		text []byte
		mode os.FileMode
		want fault.Kind
	}{
		{"empty", nil, 0o600, fault.Invalid},
		{"cut short", good[:len(good)/2], 0o600, fault.Invalid},
		{"with something after it", append(bytes.Clone(good), good...), 0o600, fault.Invalid},
		{"of another kind of key", pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: ecDER}), 0o600, fault.Invalid},
		{"under another name", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600, fault.Invalid},
		{"not a key", pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: []byte("key")}), 0o600, fault.Invalid},
		{"huge", bytes.Repeat([]byte("x"), 1<<20), 0o600, fault.Invalid},
		{"readable by others", good, 0o644, fault.Permission},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "identity.key")
			if err := os.WriteFile(path, tt.text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadIdentity(path); !errors.Is(err, tt.want) {
				t.Errorf("load = %v, want %v", err, tt.want)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, tt.text) {
				t.Errorf("the file changed: %v", err)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "identity.key")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadIdentity(path); err != nil || got.ID() != id.ID() {
		t.Fatalf("the good one: %v", err)
	}
}

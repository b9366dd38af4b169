package tlspeer

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"tandem/internal/fault"
	"tandem/internal/peer"
)

const (
	pemType    = "PRIVATE KEY" // PKCS #8
	maxKeyFile = 4 << 10
)

// Identity is a node's Ed25519 key and the certificate that carries it into
// TLS. It is safe for concurrent use.
type Identity struct {
	key  ed25519.PrivateKey
	id   peer.ID
	leaf tls.Certificate
}

// NewIdentity makes a fresh identity that is kept nowhere.
func NewIdentity() (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	return fromKey(key)
}

// LoadIdentity reads the identity at path and makes one there if there is none.
// The file is PKCS #8 in PEM, mode 0600, and appears complete or not at all; two
// processes that start at once end up with the same one. A file that others may
// read is refused with fault.Permission, a malformed one with fault.Invalid: an
// identity is never replaced.
func LoadIdentity(path string) (*Identity, error) {
	id, err := readIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if err := createIdentity(path); err != nil {
		return nil, err
	}
	return readIdentity(path)
}

// ID is the raw public key.
func (i *Identity) ID() peer.ID { return i.id }

// fromKey makes the certificate of key. Nobody checks its dates or its name, so
// they are constants: the certificate tells no more than the key.
func fromKey(key ed25519.PrivateKey) (*Identity, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "tandem"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280: never
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of identity: %w", err)
	}
	i := &Identity{
		key:  key,
		leaf: tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key},
	}
	copy(i.id[:], key.Public().(ed25519.PublicKey))
	return i, nil
}

func readIdentity(path string) (*Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, wrapFS(fmt.Errorf("open identity: %w", err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, wrapFS(fmt.Errorf("open identity: %w", err))
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.Errorf(fault.Permission, "identity %s may be read by others (mode %04o, want 0600)", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, wrapFS(fmt.Errorf("read identity: %w", err))
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read identity %s: %w", path, err)
	}
	return fromKey(key)
}

func parseKey(text []byte) (ed25519.PrivateKey, error) {
	if len(text) > maxKeyFile {
		return nil, errors.New("too large for a key")
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(rest) != 0 {
		return nil, fmt.Errorf("not one PEM block %q", pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T, not an Ed25519 key", parsed)
	}
	return key, nil
}

// createIdentity puts a new key at path. When another process was faster its
// key stays and that is no error.
func createIdentity(path string) (err error) {
	defer func() {
		if err != nil {
			err = wrapFS(fmt.Errorf("create identity: %w", err))
		}
	}()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".identity-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = pem.Encode(tmp, &pem.Block{Type: pemType, Bytes: der})
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return publish(tmp.Name(), path)
}

// publish gives tmp its final name unless that is taken.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil { // a file system without hard links
		if _, serr := os.Lstat(path); serr == nil {
			return nil
		}
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync() // not every system can sync a directory; the key is there all the same
		_ = d.Close()
	}
	return nil
}

// wrapFS gives an error of the file system its kind.
func wrapFS(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Permission, err)
	}
	return err
}

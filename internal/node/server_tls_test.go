package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a pair for localhost with a serial number and returns a pool that trusts it.
func certificate(t *testing.T, dir string, serial int64, until time.Time) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: until.Add(-90 * 24 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{cert: text, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return cert, key, pool
}

func TestTLSFromFiles(t *testing.T) {
	cert, key, pool := certificate(t, t.TempDir(), 1, time.Now().Add(24*time.Hour))
	s := serve(t, ServerConfig{TLSCert: cert, TLSKey: key})
	if !strings.HasPrefix(s.URL, "https://") {
		t.Errorf("it is at %s", s.URL)
	}
	if status, _ := get(t, browser(t, &tls.Config{RootCAs: pool}), s.URL+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz answers %d", status)
	}
}

func TestRenewedCertificatesAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	cert, key, _ := certificate(t, dir, 1, now.Add(time.Hour))
	var log bytes.Buffer
	c := &certFiles{cert: cert, key: key, now: func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	renew := func(n int64) {
		certificate(t, dir, n, now.Add(time.Hour))
		for _, name := range []string{cert, key} { // the file system's clock is coarse
			if err := os.Chtimes(name, now, now.Add(time.Duration(n)*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
	}
	renew(2)
	if got := serial(); got != 1 {
		t.Errorf("the files were looked at again within a second: %d", got)
	}
	now = now.Add(time.Second)
	if got := serial(); got != 2 {
		t.Errorf("the renewed certificate is not in force: %d", got)
	}
	if err := os.WriteFile(cert, []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if got := serial(); got != 2 || !strings.Contains(log.String(), "the old one stays") {
		t.Errorf("a bad file leaves %d in force and says %q", got, log.String())
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if got := serial(); got != 2 {
		t.Errorf("a missing file leaves %d in force", got)
	}
	renew(3)
	now = now.Add(-time.Hour) // a clock that was set back does not stop it
	if got := serial(); got != 3 {
		t.Errorf("the next renewal leaves %d in force", got)
	}
}

package real

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	random "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// contentName is what the file is called everywhere, collection where a server has it.
const (
	contentName = "content.bin"
	collection  = "lab"
)

// write makes the content: random bytes that follow from the seed, and their sum.
func (x *stage) write(ctx context.Context) (err error) {
	dir := filepath.Join(x.dir, "content")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	x.file = filepath.Join(dir, contentName)
	x.sum, err = writeRandom(ctx, x.file, int64(x.run.Scenario.Size), x.run.Seed)
	return err
}

func writeRandom(ctx context.Context, path string, size int64, seed uint64) (sum [sha256.Size]byte, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return sum, err
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = e
		}
	}()
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	src, hash, buf := random.NewChaCha8(key), sha256.New(), make([]byte, 1<<20)
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		b := buf[:min(left, int64(len(buf)))]
		_, _ = src.Read(b) // never fails
		hash.Write(b)
		if _, err := f.Write(b); err != nil {
			return sum, fmt.Errorf("write the content: %w", err)
		}
		left -= int64(len(b))
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// alone keeps nodes from finding each other by anything but the link.
func alone() []string { return []string{"--no-dht", "--no-lan", "--no-portmap"} }

// begin starts the origin: a server, or in a swarm the first seeder. It is ready when
// this returns: the link is made and the metadata known.
func (x *stage) begin(ctx context.Context) error {
	if x.run.Model == lab.PeerToPeer {
		return x.share(ctx)
	}
	return x.serve(ctx)
}

// share starts the first seeder.
func (x *stage) share(ctx context.Context) (err error) {
	s := x.origin.seat
	args := slices.Concat([]string{"share", x.file, "--json", "--listen", s.listen}, alone(), s.node)
	x.origin.process, err = x.await(ctx, "seeder", s, args, func(e event) bool {
		switch e.Event {
		case "listening":
			x.origin.node = e.Node
		case "ready":
			x.origin.link = e.Link
			return true
		}
		return false
	})
	return err
}

// await starts a program and waits until it has said that it is ready.
func (x *stage) await(ctx context.Context, name string, s seat, args []string, isReady func(event) bool) (*process, error) {
	said, over := make(chan event), make(chan struct{})
	defer close(over)
	p, err := x.program(name, s, args, func(e event, _ time.Time) {
		select {
		case said <- e:
		case <-over:
		}
	}).start()
	if err != nil {
		return nil, err
	}
	// Hashing goes at more than 20 MB/s anywhere.
	limit := time.NewTimer(ready + time.Duration(int64(x.run.Scenario.Size)/20_000)*time.Millisecond)
	defer limit.Stop()
	for {
		select {
		case e := <-said:
			if isReady(e) {
				return p, nil
			}
		case <-p.done:
			return nil, fault.Errorf(fault.Closed, "%s ended before it was ready: %v: %s", name, p.err, p.said)
		case <-limit.C:
			err = fault.Errorf(fault.Timeout, "%s did not get ready: %s", name, p.said)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			go drop(said, p.done)
			p.kill()
			return nil, err
		}
	}
}

// drop takes what nobody waits for until a process has ended.
func drop(said <-chan event, done <-chan struct{}) {
	for {
		select {
		case <-said:
		case <-done:
			return
		}
	}
}

func (x *stage) program(name string, s seat, args []string, tell func(event, time.Time)) program {
	return program{name: name, bin: x.bin, args: args, home: filepath.Join(x.dir, name), seat: s, log: x.log, tell: tell}
}

// serve starts a server with TLS that has the file, and links to it.
func (x *stage) serve(ctx context.Context) error {
	s, dir := x.origin.seat, filepath.Join(x.dir, "server")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cert, key, password := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "password")
	if err := makeCertificate(s.host, cert, key); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := os.WriteFile(password, []byte(secret()+"\n"), 0o600); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if _, err := x.program("server", s, []string{"admin", "init", "--data", data, "--user", "lab", "--password-file", password}, nil).run(ctx); err != nil {
		return err
	}
	args := slices.Concat([]string{"serve", "--json", "--data", data, "--listen", net.JoinHostPort(s.host, "0"), "--tls-cert", cert, "--tls-key", key}, s.server)
	if c := x.run.Scenario.Origin.Copies; c > 0 && x.run.Model == lab.Hybrid {
		args = append(args, "--origin-copies", strconv.FormatFloat(c, 'g', -1, 64))
	}
	var url string
	p, err := x.await(ctx, "server", s, args, func(e event) bool {
		url = strings.TrimRight(e.URL, "/")
		return url != ""
	})
	if err != nil {
		return err
	}
	x.origin.process = p
	return x.publish(ctx, url, cert, password)
}

// publish puts the file onto the server and links to it.
func (x *stage) publish(ctx context.Context, url, cert, password string) error {
	s := x.origin.seat
	said := ""
	for _, args := range [][]string{
		{"login", url, "--user", "lab", "--password-file", password, "--ca-file", cert},
		{"collection", "create", collection},
		{"put", x.file, collection},
		{"link", collection + "/" + contentName, "--json"},
	} {
		var err error
		if said, err = x.program("server", s, args, nil).run(ctx); err != nil {
			return err
		}
	}
	var link struct {
		URL  string `json:"url"`
		Link string `json:"link"`
	}
	for line := range strings.Lines(said) {
		if err := json.Unmarshal([]byte(line), &link); err != nil {
			return fault.Wrap(fault.Protocol, fmt.Errorf("read the link: %w in %q", err, line))
		}
	}
	if link.Link == "" || link.URL == "" {
		return fault.Errorf(fault.Protocol, "no link in %q", said)
	}
	x.origin.link, x.origin.url = link.Link, link.URL
	var err error
	// Receivers are strangers who know only which certificate to trust; the program keeps
	// that where it keeps who has signed in.
	x.book, err = os.ReadFile(filepath.Join(x.dir, "server", bookName))
	return err
}

// bookName is the file of a configuration folder that says whom to trust.
const bookName = "servers.json"

// secret is a password that nobody has to know.
func secret() string { return rand.Text() }

// makeCertificate writes a certificate for an address, which is its own authority, and its key.
func makeCertificate(host, cert, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tandem lab"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(host)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}

// sumOf hashes a file.
func sumOf(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

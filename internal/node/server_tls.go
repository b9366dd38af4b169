package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"tandem/internal/fault"
)

// certFiles is a certificate and key in files that somebody else renews.
type certFiles struct {
	cert, key string
	now       func() time.Time
	log       *slog.Logger

	mu      sync.Mutex // guards the fields below
	pair    *tls.Certificate
	stamp   certStamp
	checked time.Time
}

// certStamp changes when the files do.
type certStamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// tls returns how connections are secured; nil: not at all.
func (s *server) tls() (*tls.Config, error) {
	if s.cfg.TLSCert == "" && s.cfg.TLSKey == "" {
		return nil, nil
	}
	if s.cfg.TLSCert == "" || s.cfg.TLSKey == "" {
		return nil, fault.Wrap(fault.Invalid, fmt.Errorf("%w: a certificate needs its key and the other way round", ErrTLS))
	}
	c := &certFiles{cert: s.cfg.TLSCert, key: s.cfg.TLSKey, now: time.Now, log: s.cfg.Log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// get returns the certificate for a handshake. It looks at the files at most once a second; a
// pair that cannot be used leaves the old one in force. Connections that are there stay.
func (c *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= time.Second || now.Before(c.checked) {
		c.checked = now
		if stamp, err := c.look(); err != nil || stamp != c.stamp {
			if err == nil {
				err = c.read(stamp)
			}
			if err != nil {
				c.log.Error("the renewed TLS certificate cannot be used: the old one stays", "err", err)
			} else {
				c.log.Info("TLS certificate read again", "file", c.cert)
			}
		}
	}
	return c.pair, nil
}

func (c *certFiles) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp, err := c.look()
	if err == nil {
		err = c.read(stamp)
	}
	c.checked = c.now()
	return err
}

func (c *certFiles) look() (certStamp, error) {
	cert, err := os.Stat(c.cert)
	key, err2 := os.Stat(c.key)
	if err := errors.Join(err, err2); err != nil {
		return certStamp{}, fmt.Errorf("read TLS certificate: %w", fileFault(err))
	}
	return certStamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}

// read takes over the files' pair. stamp was taken before, so that a change meanwhile is seen.
func (c *certFiles) read(stamp certStamp) error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("read TLS certificate: %w", fileFault(err))
		}
		return fault.Wrap(fault.Invalid, fmt.Errorf("%w: %w", ErrTLS, err))
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

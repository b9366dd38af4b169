package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/policy"
)

func TestAdministration(t *testing.T) {
	cfg := DataConfig{Data: filepath.Join(t.TempDir(), "data")}
	ctx := t.Context()
	if err := SetPassword(ctx, cfg, "ann", "staple staple staple"); !errors.Is(err, ErrNoAdmin) {
		t.Errorf("before there is anybody: %v", err)
	}
	if err := MakeAdmin(ctx, cfg, "ann", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	if err := MakeAdmin(ctx, cfg, "ann", "correct horse battery"); fault.KindOf(err) != fault.Exists {
		t.Errorf("a taken name: %v", err)
	}
	if err := SetPassword(ctx, cfg, "ann", "staple staple staple"); err != nil {
		t.Error(err)
	}
	if err := SetPassword(ctx, cfg, "bob", "staple staple staple"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("nobody: %v", err)
	}
	token, inv, err := Invite(ctx, cfg, policy.Publisher, "", "for Bob", time.Hour)
	if err != nil || token == "" || inv.Role != policy.Publisher {
		t.Errorf("%q, %+v, %v", token, inv, err)
	}
	elsewhere := DataConfig{Data: filepath.Join(t.TempDir(), "none")}
	if _, err := Scrub(ctx, elsewhere, func(int64, int64) {}); !errors.Is(err, ErrNoServerData) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := os.Stat(elsewhere.Data); err == nil {
		t.Error("a mistyped folder was made")
	}
}

func TestDoctor(t *testing.T) {
	now := time.Now()
	expired, expiredKey, _ := certificate(t, t.TempDir(), 1, now.Add(-time.Hour))
	soon, soonKey, _ := certificate(t, t.TempDir(), 1, now.Add(24*time.Hour))
	good, goodKey, _ := certificate(t, t.TempDir(), 1, now.Add(60*24*time.Hour))
	for _, c := range []struct {
		name  string
		cfg   ServerConfig
		spoil func(t *testing.T, dir string)
		check string
		state string
	}{
		{"a new server wants an admin", ServerConfig{}, nil, "admins", FindingWarn},
		{"its database is well", ServerConfig{}, nil, "database", FindingOK},
		{"its content is well", ServerConfig{}, nil, "content", FindingOK},
		{"others can read it", ServerConfig{}, func(t *testing.T, dir string) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}, "permissions", FindingWarn},
		{"it is not there", ServerConfig{}, func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, "data", FindingFail},
		{"its database is rubbish", ServerConfig{}, func(t *testing.T, dir string) {
			for _, name := range []string{"catalog.db-wal", "catalog.db-shm"} {
				_ = os.Remove(filepath.Join(dir, name))
			}
			if err := os.WriteFile(filepath.Join(dir, "catalog.db"), bytes.Repeat([]byte("rubbish"), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "data", FindingFail},
		{"an expired certificate", ServerConfig{TLSCert: expired, TLSKey: expiredKey}, nil, "TLS", FindingFail},
		{"a certificate that expires soon", ServerConfig{TLSCert: soon, TLSKey: soonKey}, nil, "TLS", FindingWarn},
		{"a good certificate", ServerConfig{TLSCert: good, TLSKey: goodKey}, nil, "TLS", FindingOK},
		{"the key of another certificate", ServerConfig{TLSCert: good, TLSKey: soonKey}, nil, "TLS", FindingFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Data = filepath.Join(t.TempDir(), "data")
			d, err := OpenData(t.Context(), c.cfg.DataConfig)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				c.spoil(t, c.cfg.Data)
			}
			for _, f := range Doctor(t.Context(), c.cfg) {
				if f.Check == c.check {
					if f.State != c.state || f.State != FindingOK && f.Do == "" {
						t.Errorf("%+v, want %s", f, c.state)
					}
					return
				}
			}
			t.Errorf("nothing about %s", c.check)
		})
	}
}

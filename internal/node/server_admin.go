package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

// The commands below work on a server's data directly, also while the server runs: whoever may
// open the data needs no account.

// MakeAdmin makes an admin. fault.Exists: the name is taken.
func MakeAdmin(ctx context.Context, cfg DataConfig, user, password string) error {
	return withOrigin(ctx, cfg, func(_ *Data, s *origin.Server) error {
		_, err := s.MakeAdmin(ctx, user, password)
		return err
	})
}

// SetPassword gives an account a new password and ends its sessions.
func SetPassword(ctx context.Context, cfg DataConfig, user, password string) error {
	return withOrigin(ctx, cfg, func(d *Data, s *origin.Server) error {
		as, err := operator(ctx, d.Catalog)
		if err != nil {
			return err
		}
		_, err = s.UpdateUser(ctx, as, user, origin.UserChange{Password: &password})
		return err
	})
}

// Invite makes an invitation; ttl 0: 7 days.
func Invite(ctx context.Context, cfg DataConfig, role policy.Role, group, note string, ttl time.Duration) (token string, _ catalog.Invitation, err error) {
	var made catalog.Invitation
	err = withOrigin(ctx, cfg, func(d *Data, s *origin.Server) error {
		as, err := operator(ctx, d.Catalog)
		if err != nil {
			return err
		}
		token, made, err = s.Invite(ctx, as, role, group, note, ttl)
		return err
	})
	return token, made, err
}

// Backup writes one consistent state into folder.
func Backup(ctx context.Context, cfg DataConfig, folder string, progress Progress) (origin.BackupReport, error) {
	var report origin.BackupReport
	err := withData(ctx, cfg, func(d *Data) (err error) {
		report, err = origin.Backup(ctx, d.Catalog, d.Blobs, folder, time.Now, progress)
		return err
	})
	return report, err
}

// Restore reads the newest state in folder, or the one called name, into a place that is empty.
func Restore(ctx context.Context, cfg DataConfig, folder, name string, progress Progress) (report origin.BackupReport, err error) {
	lock, err := cfg.Lock() // no server may run on what is half there
	if err != nil {
		return report, err
	}
	defer lock.Close()
	d, err := OpenData(ctx, cfg)
	if err != nil {
		return report, err
	}
	defer func() { err = joined(err, d.Close()) }()
	return origin.Restore(ctx, d.Catalog, d.Blobs, folder, name, progress)
}

// Scrub hashes all content again.
func Scrub(ctx context.Context, cfg DataConfig, progress Progress) (origin.ScrubReport, error) {
	var report origin.ScrubReport
	err := withData(ctx, cfg, func(d *Data) (err error) {
		report, err = origin.Scrub(ctx, d.Catalog, d.Blobs, time.Now, progress)
		return err
	})
	return report, err
}

// withData opens data that is there already.
func withData(ctx context.Context, cfg DataConfig, f func(*Data) error) (err error) {
	if path, missing := cfg.Missing(); missing {
		return fault.Wrap(fault.NotFound, fmt.Errorf("%w: %s is not there", ErrNoServerData, path))
	}
	d, err := OpenData(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, d.Close()) }()
	return f(d)
}

// withOrigin opens data, making it if need be, and a server on it that nobody reaches.
func withOrigin(ctx context.Context, cfg DataConfig, f func(*Data, *origin.Server) error) (err error) {
	d, err := OpenData(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, d.Close()) }()
	s, err := origin.New(ctx, origin.Config{
		Catalog: d.Catalog, Blobs: d.Blobs, Now: time.Now, Rand: rand.Reader, Log: cfg.Log,
	})
	if err != nil {
		return err
	}
	return f(d, s)
}

// operator returns the first admin as a caller: rights are always somebody's, and so are entries of the
// audit log.
func operator(ctx context.Context, cat catalog.Catalog) (origin.Caller, error) {
	var c origin.Caller
	err := cat.View(ctx, func(tx *catalog.Tx) error {
		for after := ""; ; {
			page, err := tx.Accounts.Users(after, 200)
			if err != nil {
				return err
			}
			for _, u := range page {
				if u.Role == policy.Admin && !u.Disabled {
					c = origin.Caller{User: u, Subject: policy.Subject{
						Known: true, User: int64(u.ID), Role: u.Role, Limit: policy.AllRights, Server: true,
					}, Request: "command-line"}
					return nil
				}
				after = u.Name
			}
			if len(page) == 0 {
				return fault.Wrap(fault.NotFound, ErrNoAdmin)
			}
		}
	})
	return c, err
}

// joined is errors.Join that keeps err as it is when closing went well: its kind is outermost.
func joined(err, closing error) error {
	if closing == nil {
		return err
	}
	return errors.Join(err, closing)
}

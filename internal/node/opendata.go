package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/catalog/postgres"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/fault"
	"tandem/internal/store"
	"tandem/internal/store/blobdir"
	"tandem/internal/store/s3"
)

// DataConfig says where a server keeps what it knows and the content.
type DataConfig struct {
	// Data is the server's folder, made 0700. With neither Database nor Blobs it
	// holds everything: catalog.db and content/.
	Data string
	// Database is postgres://..., or sqlite:PATH; empty: catalog.db in Data.
	Database string
	// Blobs is s3://..., or file:DIR; empty: content/ in Data.
	Blobs string
	// Getenv is where the secrets of an object store may be; nil: nowhere.
	Getenv func(string) string
	Log    *slog.Logger // nil: silent
}

// Data is an open catalog and store.
type Data struct {
	Catalog catalog.Catalog
	Blobs   store.Blobs

	SQLite  string // path of the catalog's file; "": it is elsewhere
	Content string // folder of the content; "": it is elsewhere
}

// OpenData opens the catalog and the store that cfg names, making what is absent. Errors are of
// kind fault.Invalid (a URL that nobody knows), fault.Permission, fault.Unreachable, fault.Corrupt
// or fault.Other, and show no secret.
func OpenData(ctx context.Context, cfg DataConfig) (*Data, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	d := &Data{}
	if err := cfg.place(d); err != nil {
		return nil, err
	}
	if err := cfg.prepare(d); err != nil {
		return nil, err
	}
	var err error
	if d.Catalog, err = cfg.openCatalog(ctx, d); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if d.Blobs, err = cfg.openBlobs(ctx, d); err != nil {
		return nil, errors.Join(fmt.Errorf("open content: %w", err), d.Catalog.Close())
	}
	return d, nil
}

// Close closes both.
func (d *Data) Close() error { return errors.Join(d.Blobs.Close(), d.Catalog.Close()) }

// Lock makes the caller the one server on what is local of the data, before it opens it, until it
// closes what is returned or dies. fault.Busy (ErrServerRuns): there is another.
func (cfg DataConfig) Lock() (io.Closer, error) {
	d := &Data{}
	if err := cfg.place(d); err != nil {
		return nil, err
	}
	if err := cfg.prepare(d); err != nil {
		return nil, err
	}
	var held closers
	fail := func(err error) (io.Closer, error) {
		if errors.Is(err, fault.Busy) {
			err = fault.Wrap(fault.Busy, fmt.Errorf("%w: %w", ErrServerRuns, err))
		}
		return nil, errors.Join(err, held.Close())
	}
	if d.SQLite != "" {
		l, err := lockFile(d.SQLite + ".lock")
		if err != nil {
			return fail(err)
		}
		held = append(held, l)
	}
	if d.Content != "" {
		l, err := blobdir.Lock(d.Content)
		if err != nil {
			return fail(err)
		}
		held = append(held, l)
	}
	return held, nil
}

// prepare makes the folder of what is local.
func (cfg DataConfig) prepare(d *Data) error {
	if cfg.Data == "" || d.SQLite == "" && d.Content == "" {
		return nil
	}
	return privateFolder(cfg.Data)
}

// closers are closed together.
type closers []io.Closer

func (list closers) Close() error {
	var err error
	for _, c := range list {
		err = errors.Join(err, c.Close())
	}
	return err
}

// place decides what is local, and where.
func (cfg DataConfig) place(d *Data) error {
	switch scheme, rest, _ := strings.Cut(cfg.Database, ":"); {
	case cfg.Database == "":
		d.SQLite = filepath.Join(cfg.Data, "catalog.db")
	case scheme == "sqlite" && strings.TrimPrefix(rest, "//") != "":
		d.SQLite = strings.TrimPrefix(rest, "//")
	case scheme == "postgres" || scheme == "postgresql":
	default:
		return fault.Wrap(fault.Invalid, fmt.Errorf("%w: database %q", ErrPlace, Redacted(cfg.Database)))
	}
	switch scheme, rest, _ := strings.Cut(cfg.Blobs, ":"); {
	case cfg.Blobs == "":
		d.Content = filepath.Join(cfg.Data, "content")
	case scheme == "file" && strings.TrimPrefix(rest, "//") != "":
		d.Content = strings.TrimPrefix(rest, "//")
	case scheme == "s3":
	default:
		return fault.Wrap(fault.Invalid, fmt.Errorf("%w: blobs %q", ErrPlace, Redacted(cfg.Blobs)))
	}
	if cfg.Data == "" && (cfg.Database == "" || cfg.Blobs == "") {
		return fault.Errorf(fault.NotFound, "no data folder: neither --data nor HOME is set")
	}
	return nil
}

func (cfg DataConfig) openCatalog(ctx context.Context, d *Data) (catalog.Catalog, error) {
	if d.SQLite != "" {
		return sqlite.Open(ctx, d.SQLite)
	}
	return postgres.Open(ctx, cfg.Database)
}

func (cfg DataConfig) openBlobs(ctx context.Context, d *Data) (store.Blobs, error) {
	if d.Content != "" {
		return blobdir.Open(d.Content)
	}
	bucket, err := s3.Parse(cfg.Blobs, cfg.Getenv)
	if err != nil {
		return nil, err
	}
	return s3.Open(ctx, bucket)
}

// Redacted returns a URL of --database or --blobs without its secret.
func Redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(not a URL)"
	}
	q := u.Query()
	for _, name := range []string{"password", "sslpassword"} {
		if q.Has(name) {
			q.Set(name, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.Redacted()
}

// privateFolder makes dir for us alone. One that others can open and that has something in it stays
// as it is, since it may be theirs: what we put there is closed to them anyway.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", fileFault(err))
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("open data folder: %w", fileFault(err))
	}
	if len(list) > 0 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil && !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("close data folder to others: %w", fileFault(err))
	}
	return nil
}

// Missing reports whether the database is a file that is not there, so that commands which only look do
// not make an empty one by a mistyped path.
func (cfg DataConfig) Missing() (string, bool) {
	d := &Data{}
	if cfg.place(d) != nil || d.SQLite == "" {
		return "", false
	}
	if _, err := os.Stat(d.SQLite); err != nil && errors.Is(fileFault(err), fault.NotFound) {
		return d.SQLite, true
	}
	return "", false
}

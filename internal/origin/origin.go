// Package origin is the central server: accounts, files, links, uploads and
// their upkeep over a catalog and a store of blobs. Its interface to the network is
// package rest, its pages are room web; both call the same methods, and every
// method asks policy.Decide through one function, Server.may.
//
// A Server holds no state that another instance on the same catalog and store
// would miss: sessions, locks, limits, upload offsets and quotas are in the
// catalog. What it keeps in memory are caches that the catalog's change counter ends, and
// who is in which swarm, which nodes tell again (docs/decisions/0006).
package origin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
	"tandem/internal/store"
)

// Config is what a Server is made from.
type Config struct {
	Catalog catalog.Catalog // not closed by Server
	Blobs   store.Blobs     // not closed by Server
	Now     func() time.Time
	Rand    io.Reader // secrets, tokens
	Log     *slog.Logger

	// KeepTrash and KeepVersions are how long what was deleted or replaced
	// stays; 0: 30 days.
	KeepTrash, KeepVersions time.Duration
	UploadTTL               time.Duration // how long an unfinished upload waits; 0: 7 days
	SessionTTL              time.Duration // since last seen; 0: 30 days
	MinFree                 int64         // bytes uploads leave free on the device; 0: min(1 GiB, 5 %)
	Passwords               Argon2        // zero: DefaultArgon2
}

// Argon2 is the cost of a password (argon2id).
type Argon2 struct {
	Time    uint32
	Memory  uint32 // KiB
	Threads uint8
}

// DefaultArgon2 is OWASP's advice for argon2id: 19 MiB, two passes, one thread.
func DefaultArgon2() Argon2 { return Argon2{Time: 2, Memory: 19 << 10, Threads: 1} }

// Server is the central server.
type Server struct {
	cfg Config
	// The parts, each in its own file with its own lock.
	people people
	files  files
	links  linkDesk
	swarm  swarmDesk
}

// Caller is who asks, proven by Authenticate or ByLink. The zero Caller with
// Remote and Request set is nobody.
type Caller struct {
	Subject policy.Subject
	User    catalog.User // zero for nobody and for links
	Session int64        // the session's ID, 0: none
	Token   int64        // the API token's ID, 0: none
	Link    *catalog.Link
	Remote  netip.Addr
	Request string // request ID

	// Node is who a request for content says it is for; nothing proves it. Ranges for a node whose
	// download of a limited link was counted when it joined are not counted again.
	Node peer.ID

	proof content.Hash // of the session's or token's secret: renew finds it again
}

// Place names a file or folder: a collection's name and a path below it, "/"
// between names, "" for the collection itself. For a Caller with a Link, Collection is not looked
// at and Path is below the link's folder ("" is the link's file or folder itself).
type Place struct {
	Collection string
	Path       string
}

// Entry is a file or folder as callers see it.
type Entry struct {
	Node catalog.Node
	Path string // from the collection's root, or from the link's folder
	By   string // name of who stored the current version
}

// Listing is one page of a folder.
type Listing struct {
	Folder  Entry
	Rights  policy.Rights // of the caller here
	Entries []Entry
	Next    string // pass as after for the next page; "" at the end
}

// New makes a Server; Run does its work in the background. The error is the catalog's.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Catalog == nil || cfg.Blobs == nil {
		return nil, fault.Errorf(fault.Invalid, "start server: no catalog or no store of blobs")
	}
	cfg.fill()
	if _, err := cfg.Catalog.Changed(ctx); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	s := &Server{cfg: cfg}
	if err := s.people.open(cfg); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	var seed [32]byte
	if err := s.random(seed[:]); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	s.swarm.open(seed)
	return s, nil
}

// fill gives what is not set its default.
func (c *Config) fill() {
	const day = 24 * time.Hour
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.Rand = lockReader(c.Rand)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Passwords == (Argon2{}) {
		c.Passwords = DefaultArgon2()
	}
	for _, d := range []struct {
		of   *time.Duration
		days time.Duration
	}{{&c.KeepTrash, 30}, {&c.KeepVersions, 30}, {&c.UploadTTL, 7}, {&c.SessionTTL, 30}} {
		if *d.of <= 0 {
			*d.of = d.days * day
		}
	}
}

// now is the time as the catalog keeps it.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Run counts and audits downloads (at most 1 s late), ends transfers whose permission
// ended, makes .torrent files and clears away what nobody can reach any more, until ctx
// ends; then it writes down what is still to be counted and returns.
func (s *Server) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	var errs [2]error
	parts.Go(func() { errs[0] = s.runFiles(ctx) })
	parts.Go(func() { errs[1] = s.runPeople(ctx) })
	parts.Wait()
	return errors.Join(errs[:]...)
}

// Ready says whether the catalog and the store answer, within ctx.
func (s *Server) Ready(ctx context.Context) error {
	if err := s.cfg.Catalog.Probe(ctx); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	if err := s.cfg.Blobs.Probe(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

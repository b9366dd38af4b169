// Package origin is the central server: accounts, files, links, uploads and
// their upkeep over a catalog and a store of blobs. Its interface to the network is
// package rest, its pages are room web; both call the same methods, and every
// method asks policy.Decide through one function, Server.may.
//
// A Server holds no state that another instance on the same catalog and store
// would miss: sessions, locks, limits, upload offsets and quotas are in the
// catalog. What it keeps in memory are caches that the catalog's change counter ends.
package origin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"tandem/internal/catalog"
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

// Server is the central server.
type Server struct {
	cfg Config
	// The parts, each in its own file with its own lock.
	people people
	files  files
	links  linkDesk
}

// errNotBuilt marks what is still a stub.
var errNotBuilt = errors.New("not built yet")

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
func New(ctx context.Context, cfg Config) (*Server, error) { return nil, errNotBuilt }

// Run counts and audits downloads (at most 1 s late), ends transfers whose permission
// ended, makes .torrent files and clears away what nobody can reach any more, until ctx
// ends; then it writes down what is still to be counted and returns.
func (s *Server) Run(ctx context.Context) error { return errNotBuilt }

// Ready says whether the catalog and the store answer, within ctx.
func (s *Server) Ready(ctx context.Context) error { return errNotBuilt }

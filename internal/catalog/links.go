package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// LinkID names a link.
type LinkID int64

// LinkKind says what a link is for.
type LinkKind string

// The kinds.
const (
	ShareLink  LinkKind = "share"  // read a file, or a folder and what is below it
	UploadLink LinkKind = "upload" // put files into a folder, seeing nothing
)

// Link is a share or upload-request link. Who has its token may use it; it
// follows its file or folder when that is moved.
type Link struct {
	ID           LinkID
	Token        string // random, shown again to who may manage the link
	Kind         LinkKind
	Node         NodeID
	Collection   CollectionID  // read only
	Audience     peer.Audience // peer.Link or peer.Public
	By           UserID
	Created      time.Time
	Expires      time.Time // zero: never
	Password     string    // PHC string; empty: none
	MaxDownloads int64     // 0: no limit
	Downloads    int64     // begun so far
	MaxBytes     int64     // of an upload link, in all; 0: the quotas only
	Bytes        int64     // received by an upload link so far, and reserved
	Note         string
	Revoked      time.Time // zero: not
	Torrent      TorrentState

	Copies int  // live copies wanted beside the server's
	V1     bool // its .torrent is without the v2 half
	// Pending is the path, from the collection's root, of what is still to be uploaded; Node is 0
	// until then, so that the link leads nowhere.
	Pending string
	Meta    Metadata // read only
}

// Metadata is what the .torrent of a link says, in short.
type Metadata struct {
	Share content.Hash // the v2 info-hash; without a v2 half the SHA-1 and zeros
	V1    content.SHA1 // zero without a v1 half
	Print content.Hash // of the content that is described, names and roots
	Total int64        // bytes of content
}

// TorrentState says how far the metadata of a link is.
type TorrentState uint8

// The states.
const (
	NoTorrent     TorrentState = 0
	TorrentWanted TorrentState = 1
	TorrentMade   TorrentState = 2
	TorrentFailed TorrentState = 3
)

// Links is the links and what was taken by them.
type Links interface {
	CreateLink(Link) (LinkID, error)
	Link(LinkID) (Link, error)
	LinkByToken(string) (Link, error)
	LinksOf(UserID) ([]Link, error)       // newest first
	LinksIn(CollectionID) ([]Link, error) // newest first
	UpdateLink(Link) error                // expires, password, max downloads, max bytes, note, revoked, copies

	// BeginDownload counts a download of a limited link before its first byte and returns fault.Gone when
	// none is left. remote may go on with it (ContinueDownload) until expires.
	BeginDownload(id LinkID, remote string, size int64, now, expires time.Time) error
	// ContinueDownload charges n more bytes to remote's download: a range request after a break.
	// fault.Gone when it began none, or has had size twice over.
	ContinueDownload(id LinkID, remote string, n int64, now time.Time) error
	// ChargeDownload charges n bytes that remote has had, whether or not they were left to it.
	ChargeDownload(id LinkID, remote string, n int64) error
	// CountDownloads adds to links without a limit, in batches.
	CountDownloads(map[LinkID]int64) error
	// AddBytes counts received bytes of an upload link; fault.Quota when past MaxBytes. Negative gives back.
	AddBytes(LinkID, int64) error

	// SetTorrent says how far the metadata is. torrent, which names neither trackers nor web seeds, and m
	// replace what is there only with TorrentMade.
	SetTorrent(id LinkID, state TorrentState, torrent []byte, m Metadata) error
	Torrent(LinkID) ([]byte, error)
	TorrentsWanted(limit int) ([]Link, error)

	// PublicLinks returns public links that are not revoked and have this v1 or truncated v2 info-hash.
	PublicLinks(key content.SHA1, limit int) ([]Link, error)
	// PendingLinks returns links that are not revoked and whose content is still to come.
	PendingLinks(limit int) ([]Link, error)
	// SettleLink ends a link's waiting for its content, which is at node.
	SettleLink(LinkID, NodeID) error
	// CopiedLinks returns links that are not revoked, want copies and have metadata.
	CopiedLinks(limit int) ([]Link, error)
}

// Entry is one line of the audit log. Text fields hold no secrets.
type Entry struct {
	Seq     int64     // given by Append, from 1 without gaps
	Time    time.Time // to the microsecond
	User    UserID    // 0: nobody
	Actor   string    // "ann", "link 17", "setup"
	Action  string    // "login", "put", "get", "grant", ...; docs/protocol/audit.md lists them
	Object  string    // "photos/2026/a.jpg", "user bob"
	Outcome string    // "ok" or a policy.Reason or a fault kind
	Remote  string
	Request string       // request ID
	Detail  string       // a short sentence or counts, "bytes=17"
	Hash    content.Hash // of this entry and of the one before
}

// Chain returns the hash of e behind prev: SHA-256 over the domain name, prev and
// every field but Hash, each text with its length in front.
func (e Entry) Chain(prev content.Hash) content.Hash {
	b := append([]byte("tandem/v1/audit\x00"), prev[:]...)
	for _, n := range []int64{e.Seq, e.Time.UnixMicro(), int64(e.User)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, s := range []string{e.Actor, e.Action, e.Object, e.Outcome, e.Remote, e.Request, e.Detail} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// AuditFilter narrows Entries; zero fields do not.
type AuditFilter struct {
	User   UserID
	Action string
	Since  time.Time
	Until  time.Time
}

// Audit is append-only.
type Audit interface {
	Append(...Entry) error
	// Entries returns entries behind after, in order.
	Entries(after int64, f AuditFilter, limit int) ([]Entry, error)
	Head() (seq int64, hash content.Hash, err error)
}

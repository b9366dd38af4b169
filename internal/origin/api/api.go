// Package api is the shapes of /api/v1 that server and client share. The routes
// are in the served OpenAPI document; a test holds it against them.
//
// Times are RFC 3339, UTC. Sizes are bytes. Hashes are lower-case hex. Unknown
// fields in requests are refused.
package api

import "time"

// Problem is an error document (RFC 9457), application/problem+json. Kind is the stable name of a
// fault.Kind; Type is "about:blank" or "https-less" tag URI "tag:tandem,2026:problem/KIND".
type Problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail,omitempty"`
	Kind       string `json:"kind"`
	Request    string `json:"request,omitempty"`     // ID to look for in the log
	RetryAfter int    `json:"retry_after,omitempty"` // seconds
}

// Setup is POST /api/v1/setup.
type Setup struct {
	Token    string `json:"token"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// Login is POST /api/v1/sessions. The answer is 201 and Session with Secret, to be sent as Authorization: Bearer.
type Login struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Session is a signed-in browser or command line.
type Session struct {
	ID      int64     `json:"id"`
	Secret  string    `json:"secret,omitempty"` // once
	User    string    `json:"user"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"`
	Agent   string    `json:"agent,omitempty"`
	Remote  string    `json:"remote,omitempty"`
	Current bool      `json:"current"`
}

// Me is GET /api/v1/me.
type Me struct {
	User   User     `json:"user"`
	Rights []string `json:"rights"` // what the credential is limited to: list, read, publish, administer
	Server bool     `json:"server"`
}

// User is an account. Roles are reader, publisher, admin.
type User struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Disabled bool      `json:"disabled"`
	Quota    int64     `json:"quota"` // 0: none
	Used     int64     `json:"used"`
	Reserved int64     `json:"reserved"`
	Created  time.Time `json:"created"`
}

// NewUser is POST /api/v1/users.
type NewUser struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Role     string `json:"role"`
	Quota    int64  `json:"quota,omitempty"`
}

// UserChange is PATCH /api/v1/users/{name}; absent fields stay.
type UserChange struct {
	Role     *string `json:"role,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
	Quota    *int64  `json:"quota,omitempty"`
	Password *string `json:"password,omitempty"`
}

// PasswordChange is PUT /api/v1/me/password.
type PasswordChange struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Token is an API token; Secret is shown once, in the answer to POST /api/v1/tokens.
type Token struct {
	ID      int64      `json:"id"`
	Name    string     `json:"name"`
	Rights  []string   `json:"rights"`
	Server  bool       `json:"server"`
	Created time.Time  `json:"created"`
	Seen    *time.Time `json:"seen,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	Secret  string     `json:"secret,omitempty"`
}

// NewToken is POST /api/v1/tokens.
type NewToken struct {
	Name    string     `json:"name"`
	Rights  []string   `json:"rights"`
	Server  bool       `json:"server,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Group is GET/POST /api/v1/groups.
type Group struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

// Invitation is GET/POST /api/v1/invitations. URL and Token are in the answer to POST only.
type Invitation struct {
	ID      int64     `json:"id"`
	Role    string    `json:"role"`
	Group   string    `json:"group,omitempty"`
	Note    string    `json:"note,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Token   string    `json:"token,omitempty"`
	URL     string    `json:"url,omitempty"`
}

// NewInvitation is POST /api/v1/invitations. TTL is seconds; 0: 7 days.
type NewInvitation struct {
	Role  string `json:"role"`
	Group string `json:"group,omitempty"`
	Note  string `json:"note,omitempty"`
	TTL   int64  `json:"ttl,omitempty"`
}

// Accept is POST /api/v1/invitations/accept.
type Accept struct {
	Token    string `json:"token"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// Collection is a shared folder; Rights are the caller's.
type Collection struct {
	Name         string    `json:"name"`
	Owner        string    `json:"owner"`
	Rights       []string  `json:"rights"`
	Files        int64     `json:"files"`
	Quota        int64     `json:"quota"`
	Used         int64     `json:"used"`
	Reserved     int64     `json:"reserved"`
	KeepTrash    int64     `json:"keep_trash"`    // seconds
	KeepVersions int64     `json:"keep_versions"` // seconds
	Created      time.Time `json:"created"`
}

// CollectionChange is PATCH /api/v1/collections/{c}, and with Name alone POST /api/v1/collections.
type CollectionChange struct {
	Name         *string `json:"name,omitempty"`
	Quota        *int64  `json:"quota,omitempty"`
	KeepTrash    *int64  `json:"keep_trash,omitempty"`
	KeepVersions *int64  `json:"keep_versions,omitempty"`
}

// Grant is GET .../grants and PUT .../grants/{user|group}/{name}.
type Grant struct {
	Subject  string     `json:"subject"`
	Group    bool       `json:"group"`
	Rights   []string   `json:"rights"`
	NotAfter *time.Time `json:"not_after,omitempty"`
}

// Entry is a file or folder.
type Entry struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	Kind     string    `json:"kind"` // file, folder
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256,omitempty"`
	Root     string    `json:"root,omitempty"` // BEP 52 pieces root
	Modified time.Time `json:"modified"`
	Stored   time.Time `json:"stored"`
	By       string    `json:"by,omitempty"`
	Version  int64     `json:"version,omitempty"`
}

// Listing is GET .../entries/{path} of a folder; of a file it has the file in Folder and no Entries.
type Listing struct {
	Folder  Entry    `json:"folder"`
	Rights  []string `json:"rights"`
	Entries []Entry  `json:"entries"`
	Next    string   `json:"next,omitempty"` // ?after= of the next page
}

// EntryChange is PATCH .../entries/{path}: the new path in the same collection. POST makes a folder and has no body.
type EntryChange struct {
	Path string `json:"path"`
}

// Trashed is something in the trash.
type Trashed struct {
	ID      int64     `json:"id"`
	Path    string    `json:"path"`
	Kind    string    `json:"kind"`
	Size    int64     `json:"size"`
	Trashed time.Time `json:"trashed"`
	By      string    `json:"by,omitempty"`
	Goes    time.Time `json:"goes"`
}

// Version is one content of a file; POST .../versions/{path} with {"id": N} makes it current again.
type Version struct {
	ID      int64     `json:"id"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	By      string    `json:"by,omitempty"`
	Stored  time.Time `json:"stored"`
	Current bool      `json:"current"`
}

// Found is a hit of GET /api/v1/search?q=&collection=.
type Found struct {
	Collection string `json:"collection"`
	Entry      Entry  `json:"entry"`
}

// BatchResult is the answer to POST .../batch/{path} (a tar of small files, Content-Type application/x-tar), one a file.
// A PAX record TANDEM.sha256 of a file is checked.
type BatchResult struct {
	Path    string   `json:"path"`
	Entry   *Entry   `json:"entry,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// Fetch is POST .../fetch/{path}: the answer is a tar of those files.
type Fetch struct {
	Paths []string `json:"paths"`
}

// Link is a share or upload-request link. URL is HOST/s/TOKEN.
type Link struct {
	ID           int64      `json:"id"`
	URL          string     `json:"url"`
	Kind         string     `json:"kind"` // share, upload
	Audience     string     `json:"audience"`
	Collection   string     `json:"collection"`
	Path         string     `json:"path"`
	By           string     `json:"by"`
	Created      time.Time  `json:"created"`
	Expires      *time.Time `json:"expires,omitempty"`
	Password     bool       `json:"password"`
	MaxDownloads int64      `json:"max_downloads,omitempty"`
	Downloads    int64      `json:"downloads"`
	MaxBytes     int64      `json:"max_bytes,omitempty"`
	Bytes        int64      `json:"bytes,omitempty"`
	Note         string     `json:"note,omitempty"`
	Revoked      *time.Time `json:"revoked,omitempty"`
	Live         bool       `json:"live"`
	Torrent      string     `json:"torrent,omitempty"` // none, wanted, made, failed

	// Link is URL#TICKET for who may hold a ticket, URL#MAGNET for a public link, and URL where
	// nobody may (a password, a count of downloads); empty while the metadata is being made.
	Link    string  `json:"link,omitempty"`
	Pending bool    `json:"pending,omitempty"` // its content is still being uploaded
	Copies  int     `json:"copies,omitempty"`  // live copies wanted beside the server's
	Holders int     `json:"holders"`           // live copies there are now, the server's left out
	Served  *Served `json:"served,omitempty"`
}

// Served is bytes of content by who gave them: a ledger.
type Served struct {
	Server int64 `json:"server"`
	LAN    int64 `json:"lan"`
	Peers  int64 `json:"peers"` // others than LAN
}

// LedgerLine is one line of GET /api/v1/ledger?by=share|user|transfer.
type LedgerLine struct {
	Name     string    `json:"name"`               // of the file, or of the user
	InfoHash string    `json:"infohash,omitempty"` // of a share or transfer
	Node     string    `json:"node,omitempty"`     // of a transfer
	User     string    `json:"user,omitempty"`     // of a transfer: empty for links
	Served   Served    `json:"served"`
	Updated  time.Time `json:"updated"`
}

// SwarmJoin is POST /api/v1/shared/{token}/swarm and /api/v1/collections/{c}/swarm/{path}: a node takes
// part, asks for what it needs and reports. The server may hold the request for up to Wait seconds
// until something has changed.
type SwarmJoin struct {
	Node     string   `json:"node"`               // peer.ID
	Port     uint16   `json:"port,omitempty"`     // it listens at, at the address it asks from; 0: not
	Addrs    []string `json:"addrs,omitempty"`    // further addresses, IP:PORT
	InfoHash string   `json:"infohash,omitempty"` // what it has or wants; other content is 412. Empty: what is there now
	Torrent  bool     `json:"torrent,omitempty"`  // send the metadata
	Total    int64    `json:"total,omitempty"`
	Have     int64    `json:"have"`           // bytes verified
	Rate     float64  `json:"rate,omitempty"` // bytes per second coming in, of all sources
	Wait     int      `json:"wait,omitempty"` // seconds, at most 60
	Seen     int64    `json:"seen,omitempty"` // State of the last answer
	Leave    bool     `json:"leave,omitempty"`
	Keep     int64    `json:"keep,omitempty"`   // Unix seconds until which it has promised to keep a copy
	Served   *Served  `json:"served,omitempty"` // what this transfer has taken so far, in all
}

// SwarmAnswer answers SwarmJoin.
type SwarmAnswer struct {
	State      int64     `json:"state"`
	Server     string    `json:"server"` // peer.ID of the server's key
	Time       time.Time `json:"time"`
	InfoHash   string    `json:"infohash"` // v2, hex; of v1 only content its SHA-1 and 24 zeros
	Audience   string    `json:"audience"` // public, link, network
	Name       string    `json:"name"`
	Ticket     string    `json:"ticket,omitempty"`     // audience link; magnet link of a public one
	Capability []byte    `json:"capability,omitempty"` // audiences link (for any node) and network (for this one)
	Denials    [][]byte  `json:"denials,omitempty"`
	Torrent    []byte    `json:"torrent,omitempty"`
	Files      []string  `json:"files,omitempty"`  // with Torrent: URL path below the server of each file that is no padding, in order
	Peers      []string  `json:"peers,omitempty"`  // IP:PORT
	Swarm      bool      `json:"swarm"`            // peers are worth connecting to now
	Spare      bool      `json:"spare"`            // ask the server only for what no peer has
	Upload     bool      `json:"upload,omitempty"` // the server lacks (some of) the content
	Copies     int       `json:"copies,omitempty"`
	Holders    int       `json:"holders"`
	Next       int       `json:"next"` // seconds until the next join at the latest
}

// Elsewhere is the body of 300 Multiple Choices, which a node gets for a range that it should fetch from
// peers, or ask for later.
type Elsewhere struct {
	Peers []string `json:"peers,omitempty"` // IP:PORT of nodes that hold the pieces
	Taken []byte   `json:"taken,omitempty"` // bitfield of pieces (BEP 3 order) not to be asked for now
	After int      `json:"after"`           // milliseconds
}

// Headers that a node sends with a range request for content; a browser sends none of them.
const (
	HeaderNode   = "Tandem-Node"   // peer.ID
	HeaderShare  = "Tandem-Share"  // v2 info-hash, hex
	HeaderPieces = "Tandem-Pieces" // FIRST-LAST
	HeaderRoot   = "Tandem-Root"   // hex BEP 52 root of the file; 412 when it has another by now
)

// Keeper is a node's offer of room, PUT and GET /api/v1/keepers/{node}; GET /api/v1/keepers lists all.
type Keeper struct {
	Node  string    `json:"node"`
	User  string    `json:"user,omitempty"`
	Space int64     `json:"space"` // bytes offered; 0 takes the offer back
	Used  int64     `json:"used"`
	Seen  time.Time `json:"seen,omitzero"`
	// Keep is what the server asks it to keep now, in the answer to PUT.
	Keep []Kept `json:"keep,omitempty"`
}

// Kept is one share a keeper is asked to keep.
type Kept struct {
	URL      string `json:"url"` // of the link, /s/TOKEN
	InfoHash string `json:"infohash"`
	Size     int64  `json:"size"`
}

// NewLink is POST /api/v1/links.
type NewLink struct {
	Collection   string     `json:"collection"`
	Path         string     `json:"path"`
	Kind         string     `json:"kind,omitempty"`     // default share
	Audience     string     `json:"audience,omitempty"` // default link
	Expires      *time.Time `json:"expires,omitempty"`
	Password     string     `json:"password,omitempty"`
	MaxDownloads int64      `json:"max_downloads,omitempty"`
	MaxBytes     int64      `json:"max_bytes,omitempty"`
	Note         string     `json:"note,omitempty"`
	Copies       int        `json:"copies,omitempty"` // live copies wanted beside the server's
	// Torrent makes a link to content that is still to be uploaded, to Path: the sharer's
	// node serves it meanwhile. v2 metadata with piece layers; audience link.
	Torrent []byte `json:"torrent,omitempty"`
	// V1 leaves the v2 half out of a public link's .torrent, for clients that cannot read hybrids
	// (transmission before 4, aria2).
	V1 bool `json:"v1,omitempty"`
}

// LinkChange is PATCH /api/v1/links/{id}; absent fields stay. DELETE revokes.
type LinkChange struct {
	Expires      *time.Time `json:"expires,omitempty"`
	Password     *string    `json:"password,omitempty"`
	MaxDownloads *int64     `json:"max_downloads,omitempty"`
	Note         *string    `json:"note,omitempty"`
}

// Shared is GET /api/v1/shared/{token}: what a link leads to. The password, if
// any, is sent as Basic authorization with any user name.
type Shared struct {
	Kind   string `json:"kind"`
	Locked bool   `json:"locked"`
	Note   string `json:"note,omitempty"`
	Entry  *Entry `json:"entry,omitempty"` // nil while locked, and for upload links
	// Limited says that downloads are counted: a folder is best fetched as one archive.
	Limited bool `json:"limited,omitempty"`
}

// AuditEntry is one line of GET /api/v1/audit (application/x-ndjson).
type AuditEntry struct {
	Seq     int64     `json:"seq"`
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"`
	User    int64     `json:"user,omitempty"`
	Action  string    `json:"action"`
	Object  string    `json:"object"`
	Outcome string    `json:"outcome"`
	Remote  string    `json:"remote,omitempty"`
	Request string    `json:"request,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Hash    string    `json:"hash"`
}

// AuditReport is GET /api/v1/audit/verify.
type AuditReport struct {
	Entries int64  `json:"entries"`
	Head    string `json:"head"`
	Broken  int64  `json:"broken"`
}

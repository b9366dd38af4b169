// Package policy decides who may do what on a server.
//
// One function, Decide, answers for every route; it is pure, so the server
// today and a peer with a signed capability later give the same answer.
// Roles bound what an account may ever do, grants say on which collection, and
// what a token or a link was made for narrows that further, never widens it.
package policy

import "time"

// Role is an account's ceiling. The order is part of the contract:
// reader < publisher < admin.
type Role uint8

// The roles. A reader lists and reads what is granted. A publisher may publish and administer where
// that is granted, and make collections, which it then owns. An admin may do everything.
const (
	NoRole    Role = 0
	Reader    Role = 1
	Publisher Role = 2
	Admin     Role = 3
)

// Rights is a set of what a grant allows on a collection.
type Rights uint8

// The rights. Each stands alone (publish without read is a drop box), except
// that Administer brings all others.
const (
	List       Rights = 1 << iota // see names, sizes and times
	Read                          // get content, and make share links of it
	Publish                       // add, change, move and trash, and make upload links
	Administer                    // grants, quota, purge, rename
	AllRights  = List | Read | Publish | Administer
)

// Action is what a caller asks to do.
type Action uint8

// The actions. Those before CreateCollection are on a collection, the others
// on the server.
const (
	ListFiles Action = iota + 1
	ReadFile
	PublishFile
	AdministerCollection
	CreateCollection
	UseAccount  // one's own sessions, tokens and password
	ManageUsers // accounts, groups, invitations
	ReadAudit
	Operate // metrics, scrub, all links
)

// Subject is who asks, as far as a decision needs it.
type Subject struct {
	Known    bool  // somebody proved to be this account
	User     int64 // the account
	Role     Role
	Disabled bool
	// Limit narrows what a token may do on collections; AllRights for a session.
	Limit Rights
	// Server says that server-wide actions and UseAccount are in reach: true for a session, and
	// for a token made with that scope.
	Server  bool
	Expires time.Time // of the session or token; zero: never
	// Link is what the caller shows instead of an account; nil: none. Account and link do
	// not add up: with a link, the account is not looked at.
	Link *Link
}

// Link is a share or upload-request link as far as a decision needs it.
type Link struct {
	Allows  Rights    // Read (and List below its folder) or Publish
	Expires time.Time // zero: never
	Revoked bool
	Locked  bool // has a password that was not given
	UsedUp  bool // no downloads left
	// Creator and CreatorRights are today's: a link never
	// allows what its creator may not do any more.
	Creator       Subject
	CreatorRights Rights // granted to the creator on the link's collection
}

// Object is what is acted on: a collection, or the server when Collection is 0.
type Object struct {
	Collection int64
	Owner      int64  // the account that owns the collection
	Granted    Rights // union of the grants to the subject and its groups that have not lapsed
}

// Reason says why a decision fell as it did; stable, used in audit and problem documents.
type Reason string

// The reasons.
const (
	Allowed       Reason = "allowed"
	NobodyThere   Reason = "unauthenticated" // no account, no link
	Expired       Reason = "expired"
	AccountClosed Reason = "disabled"
	RoleTooLow    Reason = "role"
	NotGranted    Reason = "not-granted"
	OutOfScope    Reason = "scope" // the token was not made for it
	LinkRevoked   Reason = "revoked"
	LinkLocked    Reason = "locked" // password needed
	LinkUsedUp    Reason = "used-up"
)

// Decision is the answer. Visible says whether the caller may learn that the
// object exists; where it may not, the answer is the one for an absent object.
type Decision struct {
	Allow   bool
	Visible bool
	Reason  Reason
}

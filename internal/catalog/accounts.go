package catalog

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/policy"
)

// UserID names an account; 0 is nobody. Numbers are never used twice.
type UserID int64

// GroupID names a group.
type GroupID int64

// User is an account. Times are UTC, to the microsecond, everywhere.
type User struct {
	ID       UserID
	Name     string // unique; the caller has made it canonical
	Role     policy.Role
	Disabled bool
	Quota    int64 // bytes; 0: none
	Used     int64 // bytes of all versions it stored; read only
	Reserved int64 // bytes of its uploads on their way; read only
	Created  time.Time
}

// CredentialKind says how an account is proven.
type CredentialKind string

// The kinds. Single sign-on and passkeys have their place; nothing uses it yet.
const (
	Password CredentialKind = "password"
	OIDC     CredentialKind = "oidc"    // Issuer and Subject, never an e-mail address
	Passkey  CredentialKind = "passkey" // Subject: credential ID
)

// Credential proves an account. Issuer and Subject are empty for a password.
type Credential struct {
	User            UserID
	Kind            CredentialKind
	Issuer, Subject string
	Secret          string // PHC string of a password; public key of a passkey
	Changed         time.Time
}

// Group is a named set of accounts.
type Group struct {
	ID      GroupID
	Name    string
	Created time.Time
}

// Invitation lets its holder make an account. Taken once.
type Invitation struct {
	ID      int64
	Hash    content.Hash // SHA-256 of the token
	Role    policy.Role
	Group   GroupID // joined at once; 0: none
	Note    string  // for whom
	By      UserID
	Created time.Time
	Expires time.Time
	Taken   UserID // 0: not yet
}

// Accounts is the people.
type Accounts interface {
	CreateUser(User) (UserID, error) // fault.Exists; ID, Used and Reserved are not looked at
	User(UserID) (User, error)
	UserByName(name string) (User, error)
	Users(after string, limit int) ([]User, error) // by name
	UpdateUser(User) error                         // role, disabled, quota
	Admins() (int, error)                          // that are not disabled

	SetCredential(Credential) error // replaces by (User, Kind, Issuer, Subject)
	Credential(UserID, CredentialKind) (Credential, error)
	CredentialBySubject(kind CredentialKind, issuer, subject string) (Credential, error)

	CreateGroup(name string, now time.Time) (GroupID, error)
	Group(GroupID) (Group, error)
	GroupByName(name string) (Group, error)
	Groups(after string, limit int) ([]Group, error)
	DeleteGroup(GroupID) error // with its memberships and grants
	AddMember(GroupID, UserID) error
	RemoveMember(GroupID, UserID) error
	Members(GroupID) ([]User, error)
	GroupsOf(UserID) ([]Group, error)

	CreateInvitation(Invitation) (int64, error)
	Invitation(hash content.Hash) (Invitation, error)
	Invitations() ([]Invitation, error)       // not taken, newest first
	TakeInvitation(id int64, by UserID) error // fault.Gone when taken before
	DeleteInvitation(id int64) error
}

// Session is a signed-in browser or command line.
type Session struct {
	ID      int64
	Hash    content.Hash // SHA-256 of the secret
	User    UserID
	Created time.Time
	Seen    time.Time
	Expires time.Time
	Agent   string // what it calls itself, cut and cleaned by the caller
	Remote  string
}

// Token is an API token.
type Token struct {
	ID      int64
	Hash    content.Hash
	User    UserID
	Name    string
	Limit   policy.Rights
	Server  bool // reaches server-wide actions too
	Created time.Time
	Seen    time.Time // zero: never
	Expires time.Time // zero: never
}

// Sessions is who is signed in, and with what.
type Sessions interface {
	CreateSession(Session) (int64, error)
	Session(hash content.Hash) (Session, error)
	SessionsOf(UserID) ([]Session, error)
	TouchSession(id int64, seen time.Time) error
	EndSession(user UserID, id int64) error
	EndSessionsOf(user UserID, except int64) error
	SweepSessions(now time.Time) error

	CreateToken(Token) (int64, error)
	Token(hash content.Hash) (Token, error)
	TokensOf(UserID) ([]Token, error)
	TouchToken(id int64, seen time.Time) error
	DeleteToken(user UserID, id int64) error

	// Epoch counts the changes that may end somebody's access (a session ended, a grant
	// taken, a link revoked). Bump counts one. Running transfers ask again when it moved.
	Epoch() (int64, error)
	Bump() error
}

// Attempt is the memory of failed tries under one key.
type Attempt struct {
	Count int
	Last  time.Time
}

// Attempts limits guessing, over all instances. Keys are the caller's, such as
// "login-user/ann" and "login-addr/192.0.2.7".
type Attempts interface {
	Attempt(key string) (Attempt, error) // the zero Attempt when there is none
	AddAttempt(key string, now time.Time) (Attempt, error)
	ClearAttempts(key string) error
	SweepAttempts(before time.Time) error
}

package origin

import (
	"context"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/policy"
)

// --- set-up and sign-in

// SetupToken returns the one-time token of the set-up page: made anew at each start while there is no admin,
// "" once there is one. Only its hash is kept.
func (s *Server) SetupToken(ctx context.Context) (string, error) { return "", errNotBuilt }

// Setup makes the first admin with the one-time token and ends the token.
func (s *Server) Setup(ctx context.Context, c Caller, token, name, password string) (catalog.User, error) {
	return catalog.User{}, errNotBuilt
}

// MakeAdmin makes an admin without a token: the command line on the server's own data.
// fault.Exists when the name is taken.
func (s *Server) MakeAdmin(ctx context.Context, name, password string) (catalog.User, error) {
	return catalog.User{}, errNotBuilt
}

// Login checks a password and begins a session; secret is its cookie and bearer token. Whether the account
// exists, is disabled or the password is wrong: the same work, fault.Unauthenticated and
// the same text. fault.Limited after too many failures from one address or on one
// name; RetryAfter tells how long.
func (s *Server) Login(ctx context.Context, c Caller, name, password, agent string) (secret string, _ Caller, _ error) {
	return "", c, errNotBuilt
}

// Authenticate finds who holds secret, a session's or an API token's, and completes c. Wrong ones are limited
// as passwords are. Answers are remembered for at most a second.
func (s *Server) Authenticate(ctx context.Context, c Caller, secret string) (Caller, error) {
	return c, errNotBuilt
}

func (s *Server) Logout(ctx context.Context, c Caller) error { return errNotBuilt }

func (s *Server) Sessions(ctx context.Context, c Caller) ([]catalog.Session, error) {
	return nil, errNotBuilt
}
func (s *Server) EndSession(ctx context.Context, c Caller, id int64) error { return errNotBuilt }

// ChangePassword ends all other sessions of the caller.
func (s *Server) ChangePassword(ctx context.Context, c Caller, old, new string) error {
	return errNotBuilt
}

// CreateToken makes an API token no stronger than the caller.
func (s *Server) CreateToken(ctx context.Context, c Caller, name string, limit policy.Rights, server bool, expires time.Time) (secret string, _ catalog.Token, _ error) {
	return "", catalog.Token{}, errNotBuilt
}

func (s *Server) Tokens(ctx context.Context, c Caller) ([]catalog.Token, error) {
	return nil, errNotBuilt
}

func (s *Server) DeleteToken(ctx context.Context, c Caller, id int64) error { return errNotBuilt }

// --- accounts (ManageUsers)

// UserChange is what UpdateUser changes; nil leaves it.
type UserChange struct {
	Role     *policy.Role
	Disabled *bool
	Quota    *int64
	Password *string
}

func (s *Server) Users(ctx context.Context, c Caller, after string, limit int) ([]catalog.User, error) {
	return nil, errNotBuilt
}

func (s *Server) User(ctx context.Context, c Caller, name string) (catalog.User, error) {
	return catalog.User{}, errNotBuilt
}

func (s *Server) CreateUser(ctx context.Context, c Caller, name, password string, role policy.Role, quota int64) (catalog.User, error) {
	return catalog.User{}, errNotBuilt
}

// UpdateUser refuses to leave the server without an admin. Disabling and a new password end all sessions.
func (s *Server) UpdateUser(ctx context.Context, c Caller, name string, change UserChange) (catalog.User, error) {
	return catalog.User{}, errNotBuilt
}

// GroupView is a group and its members' names.
type GroupView struct {
	Group   catalog.Group
	Members []string
}

func (s *Server) Groups(ctx context.Context, c Caller) ([]GroupView, error) { return nil, errNotBuilt }

func (s *Server) CreateGroup(ctx context.Context, c Caller, name string) (catalog.Group, error) {
	return catalog.Group{}, errNotBuilt
}

func (s *Server) DeleteGroup(ctx context.Context, c Caller, name string) error { return errNotBuilt }

func (s *Server) SetMember(ctx context.Context, c Caller, group, user string, member bool) error {
	return errNotBuilt
}

// Invite makes an invitation for one account. ttl 0: 7 days.
func (s *Server) Invite(ctx context.Context, c Caller, role policy.Role, group, note string, ttl time.Duration) (token string, _ catalog.Invitation, _ error) {
	return "", catalog.Invitation{}, errNotBuilt
}

func (s *Server) Invitations(ctx context.Context, c Caller) ([]catalog.Invitation, error) {
	return nil, errNotBuilt
}

func (s *Server) WithdrawInvitation(ctx context.Context, c Caller, id int64) error {
	return errNotBuilt
}

// Invited says what an invitation's token is good for, to show before it is taken. Guessing is limited.
func (s *Server) Invited(ctx context.Context, c Caller, token string) (catalog.Invitation, error) {
	return catalog.Invitation{}, errNotBuilt
}

func (s *Server) AcceptInvitation(ctx context.Context, c Caller, token, name, password string) (catalog.User, error) {
	return catalog.User{}, errNotBuilt
}

// --- collections and grants

// CollectionView is a collection as the caller sees it.
type CollectionView struct {
	Collection catalog.Collection
	Owner      string
	Rights     policy.Rights // the caller's
	Files      int64
}

func (s *Server) Collections(ctx context.Context, c Caller) ([]CollectionView, error) {
	return nil, errNotBuilt
}

func (s *Server) Collection(ctx context.Context, c Caller, name string) (CollectionView, error) {
	return CollectionView{}, errNotBuilt
}

func (s *Server) CreateCollection(ctx context.Context, c Caller, name string) (CollectionView, error) {
	return CollectionView{}, errNotBuilt
}

// CollectionChange is what UpdateCollection changes; nil leaves it. Quota needs ManageUsers.
type CollectionChange struct {
	Name                    *string
	Quota                   *int64
	KeepTrash, KeepVersions *time.Duration
}

func (s *Server) UpdateCollection(ctx context.Context, c Caller, name string, change CollectionChange) (CollectionView, error) {
	return CollectionView{}, errNotBuilt
}

func (s *Server) DeleteCollection(ctx context.Context, c Caller, name string) error {
	return errNotBuilt
}

// GrantView is a grant with names; Group says whether Subject is one.
type GrantView struct {
	Subject  string
	Group    bool
	Rights   policy.Rights
	NotAfter time.Time
}

func (s *Server) Grants(ctx context.Context, c Caller, collection string) ([]GrantView, error) {
	return nil, errNotBuilt
}

// SetGrant replaces what subject has on the collection; no rights takes it away.
func (s *Server) SetGrant(ctx context.Context, c Caller, collection string, g GrantView) error {
	return errNotBuilt
}

// --- audit (ReadAudit)

func (s *Server) AuditEntries(ctx context.Context, c Caller, after int64, f catalog.AuditFilter, limit int) ([]catalog.Entry, error) {
	return nil, errNotBuilt
}

// AuditReport is the outcome of VerifyAudit.
type AuditReport struct {
	Entries int64
	Head    string // hex hash of the last entry
	Broken  int64  // first entry that does not follow from the one before; 0: none
}

func (s *Server) VerifyAudit(ctx context.Context, c Caller) (AuditReport, error) {
	return AuditReport{}, errNotBuilt
}

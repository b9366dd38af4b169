package origin

import (
	"time"

	"tandem/internal/catalog"
	"tandem/internal/policy"
)

// UserChange is what UpdateUser changes; nil leaves it.
type UserChange struct {
	Role     *policy.Role
	Disabled *bool
	Quota    *int64
	Password *string
}

// GroupView is a group and its members' names.
type GroupView struct {
	Group   catalog.Group
	Members []string
}

// CollectionView is a collection as the caller sees it.
type CollectionView struct {
	Collection catalog.Collection
	Owner      string
	Rights     policy.Rights // the caller's
	Files      int64
}

// CollectionChange is what UpdateCollection changes; nil leaves it. Quota needs ManageUsers.
type CollectionChange struct {
	Name                    *string
	Quota                   *int64
	KeepTrash, KeepVersions *time.Duration
}

// GrantView is a grant with names; Group says whether Subject is one.
type GrantView struct {
	Subject  string
	Group    bool
	Rights   policy.Rights
	NotAfter time.Time
}

// AuditReport is the outcome of VerifyAudit.
type AuditReport struct {
	Entries int64
	Head    string // hex hash of the last entry
	Broken  int64  // first entry that does not follow from the one before; 0: none
}

package catalog

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/policy"
)

// CollectionID names a collection, NodeID a file or folder, VersionID one
// content of a file. Numbers are never used twice.
type (
	CollectionID int64
	NodeID       int64
	VersionID    int64
)

// Collection is a shared folder.
type Collection struct {
	ID       CollectionID
	Name     string // unique
	Owner    UserID
	Root     NodeID
	Quota    int64 // bytes; 0: none
	Used     int64 // bytes of all versions in it, also in the trash; read only
	Reserved int64 // read only
	Created  time.Time
	// KeepTrash and KeepVersions are how long what was deleted or replaced stays; 0: the server's default.
	KeepTrash, KeepVersions time.Duration
}

// Grant gives rights on a collection to a user or to a group; one of them is 0.
type Grant struct {
	Collection CollectionID
	User       UserID
	Group      GroupID
	Rights     policy.Rights
	NotAfter   time.Time // zero: no end
}

// Collections is the shared folders and who has which rights on them.
type Collections interface {
	CreateCollection(Collection) (Collection, error) // makes its root folder, too
	Collection(CollectionID) (Collection, error)
	CollectionByName(name string) (Collection, error)
	Collections(after string, limit int) ([]Collection, error) // by name
	// Visible returns the collections that user owns or has a grant on, itself or by a group, by name.
	Visible(user UserID, now time.Time) ([]Collection, error)
	UpdateCollection(Collection) error   // name, owner, quota, keep times
	DeleteCollection(CollectionID) error // fault.Exists while anything is in it or in its trash

	SetGrant(Grant) error // replaces; no rights removes
	Grants(CollectionID) ([]Grant, error)
	// Granted returns the union of the grants to user and its groups that hold at now.
	Granted(CollectionID, UserID, time.Time) (policy.Rights, error)
}

// Version is one content of a file.
type Version struct {
	ID       VersionID
	Node     NodeID
	Sum      content.FileSum
	By       UserID    // whose quota it counts for
	Via      LinkID    // the upload link it came by; 0: none
	Modified time.Time // what the client said of the file, else when it was stored
	Created  time.Time
}

// Node is a file or folder. A collection's root folder has no parent and no name.
type Node struct {
	ID         NodeID
	Collection CollectionID
	Parent     NodeID
	Name       string
	Folder     bool
	Created    time.Time
	Version    Version   // the current one; zero for a folder
	Trashed    time.Time // zero: not itself in the trash
	TrashedBy  UserID
}

// Tree is names. Names in one folder are unique among those not in the trash,
// compared byte for byte; the caller has checked them and made them canonical (NFC).
//
// A node under a trashed folder is not itself trashed, but not Live.
type Tree interface {
	Node(NodeID) (Node, error)
	// Child returns the node called name that is not in the trash.
	Child(parent NodeID, name string) (Node, error)
	// Resolve walks names down from a folder.
	Resolve(from NodeID, names []string) (Node, error)
	// Children returns what is not in the trash, sorted by name in byte order, names behind after.
	Children(parent NodeID, after string, limit int) ([]Node, error)
	// Path returns the names from the collection's root to the node, and whether
	// it is live: neither it nor a folder above it is in the trash.
	Path(NodeID) (names []string, live bool, err error)

	MakeFolder(parent NodeID, name string, now time.Time) (Node, error) // fault.Exists
	// PutFile makes v the current version of the file called name, making the
	// file if need be, and counts v's size as used by v.By and the collection. fault.Exists when
	// a folder has the name. v.ID and v.Node are not looked at.
	PutFile(parent NodeID, name string, v Version) (Node, error)
	// Move gives a node another place and name in its collection. fault.Exists when the name is taken,
	// fault.Invalid for a folder into itself.
	Move(id NodeID, parent NodeID, name string) (Node, error)

	Trash(id NodeID, by UserID, now time.Time) error
	Untrash(id NodeID, parent NodeID, name string) (Node, error)
	Trashed(collection CollectionID, after NodeID, limit int) ([]Node, error) // by ID
	// TrashedBefore returns trashed nodes of all collections whose time to stay has passed at now.
	TrashedBefore(now time.Time, keep time.Duration, limit int) ([]Node, error)
	// Purge removes a trashed node and up to limit nodes of what is below it, with
	// all versions, and gives their bytes back. done is false when more is left.
	Purge(id NodeID, limit int) (done bool, err error)

	// Versions returns a file's versions, the newest first; the first is current.
	Versions(NodeID) ([]Version, error)
	Version(VersionID) (Version, error)
	// DropVersions removes versions that were replaced before their collection's time to keep them, at most
	// limit, and gives their bytes back.
	DropVersions(now time.Time, keep time.Duration, limit int) (int, error)

	// Search returns live nodes of the collections whose name contains text in
	// any case, by name, at most limit.
	Search(in []CollectionID, text string, limit int) ([]Found, error)
	// Counts returns how many files and folders a collection has, not counting the trash.
	Counts(CollectionID) (files, folders int64, err error)
}

// Found is a node and the names that lead to it.
type Found struct {
	Node Node
	Path []string
}

// ContentState says what has become of content.
type ContentState uint8

// The states.
const (
	Ready    ContentState = 1 // there and durable
	Arriving ContentState = 2 // claimed by an upload that will commit it
	Removing ContentState = 3 // being deleted from the store; nobody may use it
	Damaged  ContentState = 4 // found not to hash right, and quarantined
)

// Content is what the catalog knows of a blob.
type Content struct {
	Sum     content.FileSum
	State   ContentState
	Created time.Time
	Checked time.Time // last scrub that found it whole; zero: never
}

// Contents guards the life of blobs against uploads of the same content that
// come while it is being removed.
type Contents interface {
	Content(root content.Hash) (Content, error)
	// Claim says that an upload is about to make sum Ready. It returns Ready when the store has it
	// already, Arriving when the caller must commit the bytes, and fault.Busy
	// while it is Removing. Damaged becomes Arriving. Created is renewed, so that it is not swept.
	Claim(sum content.FileSum, now time.Time) (ContentState, error)
	SetReady(root content.Hash, now time.Time) error
	// Unused returns contents that no version names and that were last claimed before, and those that
	// are still Removing from an earlier try.
	Unused(before time.Time, limit int) ([]Content, error)
	// SetRemoving begins to delete; fault.Busy when a version names it. An unknown root becomes known as Removing.
	SetRemoving(root content.Hash) error
	Drop(root content.Hash) error // Removing ends
	SetChecked(root content.Hash, at time.Time, whole bool) error
	// ToCheck returns Ready contents, those not checked for longest first.
	ToCheck(before time.Time, limit int) ([]Content, error)
	// Users returns paths ("collection/a/b") of live files whose versions name root, at most limit.
	Users(root content.Hash, limit int) ([]string, error)
}

// Upload is an upload on its way.
type Upload struct {
	ID         string // 1 to 64 of [a-z0-9], random
	User       UserID // who pays
	Via        LinkID // 0: none
	Collection CollectionID
	Path       []string // where it will stand, folders made when it is complete
	Size       int64
	Want       content.Hash // SHA-256 the client says it will have; zero: not said
	Modified   time.Time
	IfAbsent   bool // fails when the name is taken at the end
	Rename     bool // takes a free name instead ("x (2)")
	Created    time.Time
	Updated    time.Time
	Expires    time.Time

	Offset int64  // durable bytes
	State  []byte // of content.Stream at Offset
	Epoch  int64  // which writer
	Node   NodeID // the file it became; 0: not finished
}

// Uploads is what lets any instance go on with an upload.
type Uploads interface {
	CreateUpload(Upload) error
	Upload(id string) (Upload, error)
	// Take makes the caller the writer and returns the upload with its new Epoch.
	Take(id string, now time.Time) (Upload, error)
	// Save records progress; fault.Busy when another writer took over.
	Save(id string, epoch, offset int64, state []byte, now time.Time) error
	// Finish records what the upload became; it stays known until it expires, so that a
	// repeated request gets the same answer.
	Finish(id string, epoch int64, node NodeID, now time.Time) error
	DeleteUpload(id string) error
	ExpiredUploads(now time.Time, limit int) ([]Upload, error)
	UploadsOf(UserID) ([]Upload, error) // not finished
}

// Quotas are exact: every change is in the same Update as what it counts.
type Quotas interface {
	// Reserve sets n bytes aside for user and collection; fault.Quota when either would pass its quota.
	Reserve(UserID, CollectionID, int64) error
	// Release gives reserved bytes back (PutFile counts what was used).
	Release(UserID, CollectionID, int64) error
}

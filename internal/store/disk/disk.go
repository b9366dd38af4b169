// Package disk keeps working copies in folders of the local file system.
//
// A Workspace is the folder .tandem-<key> beside the final name, private to its
// owner: the metadata, the piece map and the staged files, sparse. Files get
// their final names only by Finish, and nothing that stands there already is
// ever replaced. InPlace serves files where they stand, OpenExisting checks and
// repairs them.
//
// Every name is resolved by os.Root, below the folder the user named; symbolic
// links are neither made nor followed. The format of a
// Workspace is ours, described in piecemap.go and record.go.
package disk

// Package cli is the command line: commands, progress, and what to type next
// when something fails.
//
// Nothing in it decides what a node does. Text that came from a peer, a
// torrent or a file name passes through clean before it reaches a terminal.
package cli

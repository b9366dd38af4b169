package cli

import (
	"context"
	"errors"
	"io/fs"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/origin/client"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// hinted carries a hint better than the one its kind would get.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func withHint(hint string, err error) error {
	if err == nil {
		return nil
	}
	return hinted{err, hint}
}

// special hints, tried in order before the kind's.
var special = []struct {
	is   error
	hint string
}{
	{node.ErrListen, "stop the program that uses the port, or choose another one: --listen :0"},
	{node.ErrAddress, "write it as :7741, 192.0.2.7:7741 or [2001:db8::7]:0, with an address of this machine"},
	{node.ErrNothing, "name the folder that holds it: --dir DIR, or fetch it: tandem get FILE.torrent --dir DIR"},
	{node.ErrNoNode, "start one with: tandem node &"},
	{node.ErrNodeRuns, "talk to it with: tandem status"},
	{node.ErrSource, "give a link, a ticket (tandem:...), a magnet link (magnet:?...) or the path of a .torrent file; for NAME/PATH on a server sign in first: tandem login URL"},
	{node.ErrExpired, "ask the sharer for a new ticket: tandem share PATH"},
	{node.ErrRevoked, "ask who shared it for a new link; what is here already stays"},
	{node.ErrPassword, "give it the link's password: --password-file FILE"},
	{node.ErrNoSources, "ask the sharer to run: tandem share PATH, or name a node: --peer HOST:PORT"},
	{node.ErrNoItem, "list what the node has with: tandem status"},
	{node.ErrServerRuns, "one server can have a folder at a time; look at what runs with: tandem doctor --data DIR"},
	{node.ErrServerAddress, "write it as :7780, 127.0.0.1:7780 or [::1]:7780, with an address of this machine"},
	{node.ErrPlace, "write it as postgres://USER@HOST/NAME or sqlite:FILE, s3://KEY@HOST/BUCKET or file:DIR"},
	{node.ErrTLS, "see that both files are PEM and belong together: --tls-cert FILE --tls-key FILE"},
	{node.ErrNoServerData, "name the server's folder: --data DIR"},
	{node.ErrNoAdmin, "make one with: tandem admin init --user NAME --password-file FILE"},
	{client.ErrCertificate, "check the address; for a server with its own certificates: tandem login URL --ca-file FILE"},
	{client.ErrNoTLS, "perhaps the server has no TLS: http:// instead of https://"},
	{client.ErrElsewhere, "sign in at that address: tandem login URL"},
	{client.ErrExists, "move it away, choose another folder with --dir or another name with -o, or replace it with --force"},
	{errNoLogin, "sign in: tandem login URL --user NAME; a server of your own: tandem serve"},
	{node.ErrSelect, "see the paths with: tandem inspect SOURCE"},
}

// hints say what to type next, by kind of failure.
var hints = map[fault.Kind]string{
	fault.Invalid:     "look at it with: tandem inspect SOURCE; if it is damaged, get it again",
	fault.NotFound:    "check the path",
	fault.Corrupt:     "fetch the bad pieces with: tandem verify FILE.torrent --dir DIR --repair",
	fault.Permission:  "look who may use it with: ls -ld PATH, or choose another folder with --dir",
	fault.Full:        "make room and run the same command again: it goes on where it stopped",
	fault.Exists:      "move it away, choose another folder with --dir, or, if it is an older copy of the same content: tandem verify FILE.torrent --dir DIR --repair",
	fault.Busy:        "another tandem works on it: wait for it, or stop it with: tandem stop ID",
	fault.Refused:     "check that the whole ticket was copied, or ask for a new one",
	fault.Protocol:    "try again; if it stays, name another node: --peer HOST:PORT",
	fault.Timeout:     "try again, or name a node that is up: --peer HOST:PORT",
	fault.Changed:     "share it again: tandem share PATH",
	fault.Conflict:    "do not use this torrent: its v1 and v2 halves describe different content",
	fault.Unreachable: "check that the sharer runs, or name a node: --peer HOST:PORT",

	fault.Unauthenticated: "sign in again: tandem login URL --user NAME",
	fault.Quota:           "remove what is not needed, or ask an admin for more room",
	fault.Limited:         "wait a while, then try again",
	fault.Gone:            "ask who shared it for a new link",
	fault.Precondition:    "look at what is there now, then try again",
}

// serverHints are for what a server has said, where the kind's own hint is about
// this machine or a swarm.
var serverHints = map[fault.Kind]string{
	fault.Other:       "look into the server's log, or try again",
	fault.Invalid:     "see how it is written with --help",
	fault.NotFound:    "see what is there with: tandem ls NAME, or tandem collection ls",
	fault.Corrupt:     "try again; if it stays, ask the server's admin to run: tandem scrub",
	fault.Permission:  "ask the owner of the collection for the right, or an admin: tandem grant NAME user:WHO RIGHTS",
	fault.Full:        "the server's disk is full: ask its admin to make room",
	fault.Exists:      "choose another name, or remove that one: tandem rm NAME/PATH",
	fault.Busy:        "somebody else is at work on it: try again",
	fault.Refused:     "check the address of the server: it must be called by a name it knows (--public-url)",
	fault.Timeout:     "try again",
	fault.Unreachable: "the server cannot work now: try again later, or ask its admin to run: tandem doctor",
	fault.Closed:      "the server is stopping: try again",
}

// hintServer returns the hint for a failure that a server told, or that is about
// reaching it.
func hintServer(err error) string {
	if client.IsLost(err) {
		return "check the address and that the server runs; uploads and downloads go on where they stopped when you run it again"
	}
	if errors.As(err, new(*client.Problem)) {
		return serverHints[fault.KindOf(err)]
	}
	return ""
}

// pauseHint is what to do about a full disk while the transfer waits for room.
const pauseHint = "make room: it goes on by itself"

// hintFor returns what to type next after err, or "".
func hintFor(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	if errors.As(err, new(usageError)) {
		return "see: tandem --help"
	}
	for _, s := range special {
		if errors.Is(err, s.is) {
			return s.hint
		}
	}
	if hint := hintServer(err); hint != "" {
		return hint
	}
	return hints[fault.KindOf(err)]
}

// dataHints are for commands on a server's data, by kind of failure.
var dataHints = map[fault.Kind]string{
	fault.Invalid:     "see how it is written with --help",
	fault.NotFound:    "check the name and the folder; accounts are listed by: tandem users ls",
	fault.Exists:      "choose another name; a new password for an account: tandem admin password --user NAME",
	fault.Permission:  "run it as the user that the server runs as, such as: sudo -u tandem tandem ...",
	fault.Busy:        "somebody else works on the data: try again, or stop the server",
	fault.Corrupt:     "restore the last backup: tandem restore --from FOLDER --data DIR",
	fault.Unreachable: "see that the database and the object store run, and check their URLs",
	fault.Full:        "make room, then run it again",
}

// listedBy gives a failure because nothing has the number or name that was given the command that
// lists what there is.
func listedBy(command string, err error) error {
	if fault.KindOf(err) != fault.NotFound || errors.As(err, new(hinted)) {
		return err
	}
	return withHint("see what there is with: "+command, err)
}

// resumable gives an interruption the word that nothing is lost.
func resumable(err error) error {
	if exitCode(err) != exitInterrupted || errors.As(err, new(hinted)) {
		return err
	}
	return withHint("what has come is kept: the same command goes on from there", err)
}

// hintBy gives err the hint of its kind in hints, unless it has one of its own.
func hintBy(hints map[fault.Kind]string, err error) error {
	hint, ok := hints[fault.KindOf(err)]
	if errors.As(err, new(*fs.PathError)) && fault.KindOf(err) == fault.NotFound { // a name of this machine's
		hint = "check the path"
	}
	if err == nil || !ok || errors.As(err, new(hinted)) || errors.As(err, new(usageError)) || hintServer(err) != "" {
		return err
	}
	for _, s := range special {
		if errors.Is(err, s.is) {
			return err
		}
	}
	return withHint(hint, err)
}

// clientHints are for commands that talk to a server, where the failure is on this side.
var clientHints = map[fault.Kind]string{
	fault.Invalid:    "see how it is written with --help; a name that leads elsewhere is never written",
	fault.Corrupt:    "try again; if it stays, ask the server's admin to run: tandem scrub",
	fault.Protocol:   "check the address: perhaps it is no tandem server, or a much newer one",
	fault.Changed:    "run the same command again: it sends what has changed",
	fault.NotFound:   "check the path, and the address of the server",
	fault.Exists:     "move it away, or choose another name",
	fault.Timeout:    "try again",
	fault.Permission: "look who may use it with: ls -ld PATH",
}

// hintInvalid gives err a hint when it is about input that is malformed and has
// none of its own.
func hintInvalid(hint string, err error) error {
	if fault.KindOf(err) != fault.Invalid || errors.As(err, new(hinted)) {
		return err
	}
	for _, s := range special {
		if errors.Is(err, s.is) {
			return err
		}
	}
	return withHint(hint, err)
}

// hintLink is hintInvalid for a source that may be a link, which nobody can look
// into once it is damaged.
func hintLink(source string, err error) error {
	if isLink(source) {
		return hintInvalid("copy the whole link again, and put it in quotes", err)
	}
	return err
}

// exitCode maps err to the exit code of the process.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailure
}

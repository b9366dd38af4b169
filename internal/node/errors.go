package node

import "tandem/internal/fault"

// Failures that callers tell apart beyond their kind.
var (
	ErrListen        = fault.Errorf(fault.Busy, "the listening address cannot be used")
	ErrAddress       = fault.Errorf(fault.Invalid, "not an address of this machine")
	ErrNothing       = fault.Errorf(fault.Corrupt, "nothing of it is there")
	ErrNoNode        = fault.Errorf(fault.Unreachable, "no node is running")
	ErrNodeRuns      = fault.Errorf(fault.Busy, "a node is already running")
	ErrSource        = fault.Errorf(fault.Invalid, "not a ticket, a magnet link or a .torrent file")
	ErrExpired       = fault.Errorf(fault.Refused, "the ticket has expired")
	ErrNoSources     = fault.Errorf(fault.Unreachable, "no source has been found")
	ErrNoItem        = fault.Errorf(fault.NotFound, "no such share or transfer")
	ErrServerRuns    = fault.Errorf(fault.Busy, "another server has this data")
	ErrServerAddress = fault.Errorf(fault.Invalid, "the address cannot be listened at")
	ErrPlace         = fault.Errorf(fault.Invalid, "not a place that tandem knows")
	ErrNoServerData  = fault.Errorf(fault.NotFound, "there is no server's data")
	ErrNoAdmin       = fault.Errorf(fault.NotFound, "there is no admin yet")
	ErrTLS           = fault.Errorf(fault.Invalid, "the TLS certificate and key cannot be used")
	ErrPassword      = fault.Errorf(fault.Unauthenticated, "the link has a password")
	ErrRevoked       = fault.Errorf(fault.Refused, "the server has taken back the permission")
	ErrSelect        = fault.Errorf(fault.NotFound, "no file matches")
)

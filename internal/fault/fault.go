// Package fault names the kinds of failure that tandem tells apart.
//
// A Kind is an error itself, so errors.Is(err, fault.Corrupt) asks whether err
// is of that kind however deeply it was wrapped. The list is append-only: the
// names appear in --json output and, later, on the wire.
package fault

import (
	"errors"
	"fmt"
)

// Kind is a class of failure. Its string form is stable.
type Kind uint8

// The kinds. Never reorder or remove one; append only.
const (
	Other       Kind = iota // anything not listed below
	Invalid                 // input is malformed, out of limits or not canonical
	NotFound                // the thing asked for is absent
	Corrupt                 // content does not match its hash
	Permission              // the system or a policy refused
	Full                    // no room left on the device
	Exists                  // the destination holds something else
	Busy                    // in use by another process (port, lock)
	Refused                 // the other side refused: wrong secret, audience or ban
	Protocol                // a peer broke the protocol
	Timeout                 // no answer in time
	Changed                 // a shared file changed under us
	Closed                  // the object was closed or the operation cancelled
	Conflict                // two descriptions of one content disagree (hybrid v1 against v2)
	Unreachable             // no source could be reached

	Unauthenticated // nobody said who asks, or what they said does not hold
	Quota           // over a quota
	Limited         // too many attempts: try again later
	Gone            // it was there and has ended: expired, revoked, used up
	Precondition    // a condition the caller set does not hold
)

var names = [...]string{
	"other", "invalid", "not-found", "corrupt", "permission", "full", "exists",
	"busy", "refused", "protocol", "timeout", "changed", "closed", "conflict",
	"unreachable", "unauthenticated", "quota", "limited", "gone", "precondition",
}

// String returns the stable name of k.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return names[Other]
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

type failure struct {
	kind Kind
	err  error
}

func (f *failure) Error() string        { return f.err.Error() }
func (f *failure) Unwrap() error        { return f.err }
func (f *failure) Is(target error) bool { return target == error(f.kind) }

// Errorf formats an error of kind k; %w works as in fmt.Errorf.
func Errorf(k Kind, format string, args ...any) error {
	return &failure{k, fmt.Errorf(format, args...)}
}

// Wrap marks err as being of kind k. A nil err stays nil.
func Wrap(k Kind, err error) error {
	if err == nil {
		return nil
	}
	return &failure{k, err}
}

// KindOf returns the outermost kind in err's chain, Other if there is none.
func KindOf(err error) Kind {
	var f *failure
	if errors.As(err, &f) {
		return f.kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Other
}

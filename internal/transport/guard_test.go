package transport_test

import (
	"errors"
	"testing"

	"tandem/internal/capability"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// judge is a guard that has made up its mind.
type judge struct{ err error }

func (judge) Present() []byte               { return nil }
func (j judge) Check(peer.ID, []byte) error { return j.err }

func refused(why error) error { return fault.Errorf(fault.Refused, "capability %w", why) }

// The numbers are part of the protocol. Who asks for a network share has proven nothing by its
// secret: it hears a reason only for what the server really signed.
func TestWhatIsSaidOfARefusal(t *testing.T) {
	tests := []struct {
		err           error
		link, network transport.Refusal
	}{
		{nil, 0, 0},
		{refused(capability.Missing), 3, 1},
		{refused(capability.Forged), 4, 1},
		{refused(capability.Expired), 5, 5},
		{refused(capability.NotYet), 6, 6},
		{refused(capability.OtherNode), 7, 7},
		{refused(capability.OtherShare), 8, 8},
		{refused(capability.NoRight), 9, 9},
		{refused(capability.Revoked), 10, 10},
		{fault.Errorf(fault.Refused, "for a reason without a name"), 1, 1},
		{errors.New("the guard is broken"), 1, 1},
	}
	for _, tt := range tests {
		for audience, want := range map[peer.Audience]transport.Refusal{peer.Link: tt.link, peer.Network: tt.network} {
			s := transport.Share{Audience: audience, Guard: judge{tt.err}}
			got, err := s.Judge(peer.ID{1}, true, []byte("doc"))
			if got != want || (err == nil) != (tt.err == nil) || err != nil && fault.KindOf(err) != fault.Refused {
				t.Errorf("%v, %v: %d, %v, want %d", audience, tt.err, got, err, want)
			}
			var why capability.Reason
			if said := got.Err(audience); got > 2 && (!errors.As(said, &why) || !errors.Is(tt.err, why)) || !errors.Is(said, fault.Refused) {
				t.Errorf("%v: %d is told as %v", audience, got, said)
			}
		}
	}
}

func TestWhoSpeaksOfNoCapabilityIsJudgedToo(t *testing.T) {
	s := transport.Share{Audience: peer.Link, Guard: judge{}} // would take anything
	if got, err := s.Judge(peer.ID{1}, false, nil); got != transport.NeedsCapability || !errors.Is(err, capability.Missing) {
		t.Errorf("%d, %v", got, err)
	}
	s.Guard = nil
	if got, err := s.Judge(peer.ID{1}, false, nil); got != 0 || err != nil {
		t.Errorf("without a guard: %d, %v", got, err)
	}
}

func TestUnknownRefusalsAreTakenForNotShared(t *testing.T) {
	for _, r := range []transport.Refusal{0, 1, 11, 255} {
		for _, audience := range []peer.Audience{peer.Link, peer.Network} {
			if err := r.Err(audience); err.Error() != transport.NotShared.Err(audience).Error() || !errors.Is(err, fault.Refused) {
				t.Errorf("%d: %v", r, err)
			}
		}
	}
}

func TestWhichSharesAreSound(t *testing.T) {
	for _, tt := range []struct {
		share transport.Share
		want  bool
	}{
		{transport.Share{Audience: peer.Link}, true},
		{transport.Share{Audience: peer.Link, Guard: judge{}}, true},
		{transport.Share{Audience: peer.Network, Guard: judge{}}, true},
		{transport.Share{Audience: peer.Network}, false},
		{transport.Share{Audience: peer.Public, Guard: judge{}}, false},
		{transport.Share{}, false},
	} {
		if got := tt.share.Sound(); got != tt.want {
			t.Errorf("%+v: %v", tt.share, got)
		}
	}
}

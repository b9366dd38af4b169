package tracker

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

var sample = request{
	Key: content.SHA1{1, 2, 3}, PeerID: [20]byte{'-', 'T', 'D'},
	Downloaded: 1 << 40, Left: 7, Uploaded: 9,
	Event: eventStarted, Token: 0xdeadbeef, NumWant: -1, Port: 6881,
}

func TestAnnounceRequestComesBack(t *testing.T) {
	b := appendAnnounce(nil, 42, 17, sample, "/announce?passkey=x")
	id, tx, r, ok := parseAnnounce(b)
	if !ok || id != 42 || tx != 17 || r != sample {
		t.Fatalf("%v %v %+v %v", id, tx, r, ok)
	}
	if want := append([]byte{optionURLData, 19}, "/announce?passkey=x"...); !bytes.Equal(b[announceSize:], want) {
		t.Fatalf("options are %q", b[announceSize:])
	}
}

func TestLongURLDataIsCut(t *testing.T) {
	b := appendAnnounce(nil, 1, 2, sample, string(make([]byte, 300)))
	if len(b) != announceSize+2+255+2+45 || b[announceSize+1] != 255 || b[announceSize+2+255+1] != 45 {
		t.Fatalf("%d bytes", len(b))
	}
}

func TestAnnounceReplyComesBack(t *testing.T) {
	for _, addrs := range [][]string{{"1.2.3.4:5", "6.7.8.9:65535"}, {"[2001:db8::1]:80"}} {
		var peers []netip.AddrPort
		for _, a := range addrs {
			peers = append(peers, netip.MustParseAddrPort(a))
		}
		b := appendAnnounceReply(nil, 3, 1800, 1, 2, peers)
		if ours, err := checkReply(b, 3, actionAnnounce); !ours || err != nil {
			t.Fatal(ours, err)
		}
		r, err := parseAnnounceReply(b, peers[0].Addr().Is6())
		if err != nil || r.interval.Seconds() != 1800 || len(r.peers) != len(peers) || r.peers[0] != peers[0] {
			t.Fatalf("%+v %v", r, err)
		}
	}
}

func TestReplyOfAnotherTransactionIsNotOurs(t *testing.T) {
	if ours, _ := checkReply(appendConnectReply(nil, 1, 2), 9, actionConnect); ours {
		t.Fatal("taken")
	}
	if ours, err := checkReply(appendConnectReply(nil, 1, 2), 1, actionAnnounce); !ours || !errors.Is(err, fault.Protocol) {
		t.Fatal("wrong action:", ours, err)
	}
}

func TestTrackersErrorIsPrintable(t *testing.T) {
	_, err := checkReply(appendError(nil, 1, "\x1b[2Jgone\n"), 1, actionAnnounce)
	if !errors.Is(err, fault.Refused) || err.Error() != "tracker says: ?[2Jgone?" {
		t.Fatalf("%v", err)
	}
}

func FuzzAnnounceRequest(f *testing.F) {
	f.Add(appendAnnounce(nil, 42, 17, sample, ""))
	f.Add(appendAnnounce(nil, 42, 17, sample, "/x"))
	f.Add(appendConnect(nil, 5))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if tx, ok := parseConnect(b); ok && !bytes.Equal(appendConnect(nil, tx), b[:connectSize]) {
			t.Fatal("connect does not come back")
		}
		id, tx, r, ok := parseAnnounce(b)
		if !ok {
			return
		}
		got := appendAnnounce(nil, id, tx, r, "")
		copy(got[84:88], b[84:88]) // the address, which is ignored
		if !bytes.Equal(got, b[:announceSize]) {
			t.Fatal("announce does not come back")
		}
	})
}

func FuzzAnnounceReply(f *testing.F) {
	f.Add(appendAnnounceReply(nil, 3, 1800, 1, 2, []netip.AddrPort{netip.MustParseAddrPort("1.2.3.4:5")}), uint32(3), false)
	f.Add(appendAnnounceReply(nil, 3, 1800, 1, 2, []netip.AddrPort{netip.MustParseAddrPort("[::1]:5")}), uint32(3), true)
	f.Add(appendError(nil, 3, "no"), uint32(3), false)
	f.Add(appendConnectReply(nil, 3, 4), uint32(3), false)
	f.Fuzz(func(t *testing.T, b []byte, tx uint32, v6 bool) {
		if ours, err := checkReply(b, tx, actionAnnounce); !ours || err != nil {
			return
		}
		r, err := parseAnnounceReply(b, v6)
		if err != nil {
			return
		}
		var again []byte
		for _, p := range r.peers {
			again = appendPeer(again, p)
		}
		if len(r.peers) > maxPeers || !bytes.HasPrefix(b[announceHead:], again) {
			t.Fatal("peers do not come back")
		}
	})
}

func FuzzPeers(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 0, 80}, false)
	f.Add(make([]byte, 36), true)
	f.Add([]byte{1}, false)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		peers, err := parsePeers(b, v6)
		if err != nil {
			return
		}
		var again []byte
		for _, p := range peers {
			again = appendPeer(again, p)
		}
		if len(peers) < maxPeers && !bytes.Equal(again, b) {
			t.Fatal("peers do not come back")
		}
	})
}

// What an HTTP tracker may say without harm.
func FuzzReply(f *testing.F) {
	f.Add([]byte("d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x50e"))
	f.Add([]byte("d5:peers6:\x01\x02\x03\x04\x00\x508:intervali1800ee"))
	f.Add([]byte("d5:peersld2:ip9:127.0.0.14:porti80eeee"))
	f.Add([]byte("d14:failure reason4:\x1b[2Je"))
	f.Add([]byte("d6:peers618:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x50e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReply(b)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Protocol && k != fault.Refused {
				t.Fatalf("kind %v", k)
			}
			if s := err.Error(); s != discover.Printable(s, len(s)) {
				t.Fatalf("error %q", s)
			}
			return
		}
		if len(r.peers) > 2*maxPeers || r.interval < 0 || r.minInterval < 0 || len(r.trackerID) > 256 {
			t.Fatalf("%+v", r)
		}
	})
}

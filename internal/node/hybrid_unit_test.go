package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"tandem/internal/capability"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// signer is a server's key and what it signs.
type signer struct {
	t   *testing.T
	key ed25519.PrivateKey
	id  peer.ID
}

func newSigner(t *testing.T) *signer {
	s := &signer{t: t, key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, ed25519.SeedSize))}
	copy(s.id[:], s.key.Public().(ed25519.PublicKey))
	return s
}

func (s *signer) denial(source byte, issued, notAfter time.Time) []byte {
	d := capability.Denial{Server: s.id, Source: capability.Source{source}, Issued: issued, NotAfter: notAfter}
	doc, err := d.Sign(s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

func TestWhatIsKnownOfAServerOutlivesTheNode(t *testing.T) {
	s, state := newSigner(t), t.TempDir()
	now := time.Now().Truncate(time.Second)
	clock := now
	open := func() *authority {
		n := testNode(t, func(c *Config) { c.StateDir, c.Now = state, func() time.Time { return clock } })
		return n.authority(s.id)
	}
	a := open()
	a.tell(now.Add(24 * time.Hour))
	if got := a.now(); !got.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("with a server a day ahead it is %s", got)
	}
	doc := s.denial(1, now, now.Add(72*time.Hour))
	if _, err := a.take(doc); err != nil {
		t.Fatal(err)
	}
	if _, err := a.take(s.denial(2, now.Add(-time.Hour), now.Add(time.Hour))); err != nil || len(a.documents(9)) != 1 {
		t.Errorf("what can be forgotten is kept: %v", err)
	}
	a.save()
	again := open()
	if got := again.documents(9); len(got) != 1 || !bytes.Equal(got[0], doc) {
		t.Errorf("after a restart the denials are %x", got)
	}
	if got := again.now(); !got.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("after a restart it is %s", got)
	}
	if got := slices.Collect(again.of(capability.Source{1})); len(got) != 1 {
		t.Errorf("of its source: %v", got)
	}
	t.Run("a clock that was put right counts", func(t *testing.T) {
		clock = now.Add(-time.Hour)
		if got := open().now(); !got.Equal(now) { // not before what the server signed
			t.Errorf("it is %s, want %s", got, now)
		}
	})
	t.Run("a denial goes when it denies nothing any more", func(t *testing.T) {
		clock = now.Add(96 * time.Hour)
		a := open()
		if got := slices.Collect(a.of(capability.Source{1})); len(got) != 0 || len(a.documents(9)) != 0 {
			t.Errorf("it is kept: %v", got)
		}
	})
	t.Run("what another signed is nothing", func(t *testing.T) {
		doc := bytes.Clone(doc)
		doc[len(doc)-1] ^= 1
		if _, err := a.take(doc); fault.KindOf(err) != fault.Refused {
			t.Errorf("%v", err)
		}
	})
}

func TestNearIsOnOurNetworks(t *testing.T) {
	var list []net.Addr
	for _, text := range []string{"127.0.0.1/8", "192.168.7.3/24", "10.1.2.3/8", "203.0.113.9/32", "2001:db8:1:2::5/64", "fe80::1/64"} {
		ip, mask, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &net.IPNet{IP: ip, Mask: mask.Mask})
	}
	n := testNode(t, nil)
	n.vicinity.nets, n.vicinity.asked = localNets(list), n.clock()
	for text, want := range map[string]bool{
		"127.0.0.1": true, "192.168.7.200": true, "::ffff:192.168.7.200": true, "fe80::99%eth0": true, "2001:db8:1:2::9": true,
		"192.168.8.1": false, "10.1.2.4": false, "203.0.113.9": false, "203.0.113.8": false, "2001:db8:1:3::9": false,
	} {
		if n.near(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: near is %t", text, !want)
		}
	}
}

// once is a finder that says when it is joined.
type once struct{ joined chan struct{} }

func (o once) Join(ctx context.Context, _ discover.Swarm) iter.Seq[discover.Found] {
	return func(yield func(discover.Found) bool) {
		close(o.joined)
		if yield(discover.Found{Source: "x"}) {
			<-ctx.Done()
		}
	}
}
func (once) Name() string { return "x" }
func (once) Err() error   { return errors.New("from within") }
func (once) Close() error { return nil }

func TestAFinderIsMadeWhenItIsNeeded(t *testing.T) {
	made := 0
	f := once{make(chan struct{})}
	l := &lazy{name: "dht", open: func(context.Context) (discover.Finder, error) { made++; return f, nil }}
	if l.Name() != "dht" || l.Err() != nil || l.Close() != nil || made != 0 {
		t.Fatal("it was made before it was joined")
	}
	for found := range l.Join(t.Context(), discover.Swarm{}) {
		if found.Source != "x" {
			t.Errorf("%+v", found)
		}
		break
	}
	<-f.joined
	if made != 1 || l.Err() == nil {
		t.Errorf("made %d times, %v", made, l.Err())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	bad := &lazy{name: "dht", open: func(context.Context) (discover.Finder, error) { return nil, fault.Errorf(fault.Busy, "no") }}
	for found := range bad.Join(ctx, discover.Swarm{}) {
		t.Errorf("found %+v", found)
	}
	if fault.KindOf(bad.Err()) != fault.Busy {
		t.Errorf("%v", bad.Err())
	}
}

func TestPlacesAreTold(t *testing.T) {
	n := testNode(t, nil)
	as := &Account{URL: "https://files.example", Secret: "x"}
	for source, c := range map[string]struct {
		as   *Account
		none bool
		bad  bool
		key  string
		frag string
	}{
		"https://files.example/s/tok":             {key: "https://files.example/s/tok"},
		"https://files.example/s/tok#tandem:AAAA": {key: "https://files.example/s/tok", frag: "tandem:AAAA"},
		"https://files.example/s/tok#page":        {key: "https://files.example/s/tok"},
		"https://files.example/other":             {none: true},
		"tandem:AAAA":                             {as: as, none: true},
		"magnet:?xt=x":                            {as: as, none: true},
		"/a/file.torrent":                         {none: true},
		"c/a/b":                                   {as: as, key: "https://files.example#c/a/b"},
		"c/../b":                                  {as: as, bad: true},
		"/c":                                      {as: as, bad: true},
	} {
		t.Run(source, func(t *testing.T) {
			at, err := n.place(source, "", c.as)
			switch {
			case c.bad:
				if !errors.Is(err, ErrSource) {
					t.Errorf("%v", err)
				}
			case c.none:
				if at != nil || err != nil {
					t.Errorf("%+v, %v", at, err)
				}
			case err != nil || at.key != c.key || at.fragment != c.frag:
				t.Errorf("%+v, %v", at, err)
			}
		})
	}
}

func TestUploadsGoWhereTheyWereSent(t *testing.T) {
	for to, want := range map[string]string{"c": "c x", "c/": "c x", "c/d": "c d", "c/d/": "c d/x", "c/../d": "c d"} {
		if collection, at := target(to, "x"); collection+" "+at != want {
			t.Errorf("%s: %s %s, want %s", to, collection, at, want)
		}
	}
}

// FuzzAnswer feeds what a server says about a share.
func FuzzAnswer(f *testing.F) {
	for _, a := range []api.SwarmAnswer{
		{},
		{Server: peer.ID{1}.String(), InfoHash: fmt.Sprintf("%064d", 1), Audience: "network", Name: "x"},
		{Server: peer.ID{1}.String(), InfoHash: fmt.Sprintf("%064d", 1), Audience: "public", Ticket: "magnet:?xt=urn:btmh:1220" + fmt.Sprintf("%064d", 1)},
		{Server: peer.ID{1}.String(), InfoHash: fmt.Sprintf("%064d", 1), Audience: "link", Ticket: "tandem:AAAA", Torrent: []byte("d4:infodee")},
	} {
		b, err := json.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a api.SwarmAnswer
		if json.Unmarshal(data, &a) != nil {
			return
		}
		id, err := identityOf(a)
		if err != nil {
			if fault.KindOf(err) != fault.Protocol {
				t.Fatalf("of kind %v: %v", fault.KindOf(err), err)
			}
			return
		}
		src, err := id.source()
		if err == nil && (src.Audience != id.Audience || !src.names(id.InfoHash) || len(src.Keys) == 0) {
			t.Fatalf("%+v of %+v", src, id)
		}
	})
}

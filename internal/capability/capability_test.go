package capability_test

import (
	"bytes"
	"crypto/ed25519"
	_ "embed"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// keyOf is the Ed25519 key whose seed is 32 times b.
func keyOf(b byte) (ed25519.PrivateKey, peer.ID) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	return key, peer.ID(key.Public().(ed25519.PublicKey))
}

var (
	share = content.Hash(bytes.Repeat([]byte{0x22}, 32))
	node  = peer.ID(bytes.Repeat([]byte{0x33}, 32))
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

func bound() capability.Capability {
	_, server := keyOf(0x11)
	return capability.Capability{
		Server: server, Share: share, Node: node, Rights: capability.Fetch | capability.Serve,
		Source: capability.Source(bytes.Repeat([]byte{0x44}, 16)),
		Issued: noon, NotAfter: noon.Add(24 * time.Hour),
	}
}

func denial() capability.Denial {
	c := bound()
	return capability.Denial{Server: c.Server, Source: c.Source, Issued: noon, NotAfter: c.NotAfter}
}

func signed(t interface{ Fatal(...any) }, c capability.Capability) []byte {
	key, _ := keyOf(0x11)
	doc, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentsComeBack(t *testing.T) {
	key, server := keyOf(0x11)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(1, 253402300799)
		a, b := at.Draw(t, "issued"), at.Draw(t, "not after")
		c := bound()
		c.Issued, c.NotAfter = time.Unix(min(a, b), 0).UTC(), time.Unix(max(a, b), 0).UTC()
		c.Rights = capability.Rights(rapid.IntRange(1, 3).Draw(t, "rights"))
		if rapid.Bool().Draw(t, "bearer") {
			c.Node = peer.ID{}
		}
		doc, err := c.Sign(key)
		if err != nil || len(doc) > capability.MaxSize {
			t.Fatalf("%d bytes, %v", len(doc), err)
		}
		if got, err := capability.Parse(doc, server); err != nil || got != any(c) {
			t.Fatalf("%+v, %v, want %+v", got, err, c)
		}
		d := capability.Denial{Server: server, Source: c.Source, Node: c.Node, Issued: c.Issued, NotAfter: c.NotAfter}
		if doc, err = d.Sign(key); err != nil {
			t.Fatal(err)
		}
		if got, err := capability.Parse(doc, server); err != nil || got != any(d) {
			t.Fatalf("%+v, %v, want %+v", got, err, d)
		}
	})
}

// Whatever byte is changed, to whatever it is changed: nothing is left of it.
func TestEveryChangedByteIsRefused(t *testing.T) {
	key, server := keyOf(0x11)
	deny, err := denial().Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range [][]byte{signed(t, bound()), deny} {
		for i := range doc {
			for _, flip := range []byte{1 << (i % 8), 255} {
				bad := bytes.Clone(doc)
				bad[i] ^= flip
				v, err := capability.Parse(bad, server)
				if v != nil || !errors.Is(err, fault.Invalid) && !errors.Is(err, capability.Forged) {
					t.Fatalf("byte %d xor %#x: %+v, %v", i, flip, v, err)
				}
			}
		}
		for n := range doc {
			if v, err := capability.Parse(doc[:n], server); v != nil || err == nil {
				t.Fatalf("the first %d bytes are read as %+v", n, v)
			}
		}
		if v, err := capability.Parse(append(bytes.Clone(doc), 0), server); v != nil || err == nil {
			t.Fatalf("with a byte more it is read as %+v", v)
		}
	}
}

func TestNobodyElseCanSign(t *testing.T) {
	evil, evilID := keyOf(0x66)
	_, server := keyOf(0x11)
	if _, err := bound().Sign(evil); !errors.Is(err, fault.Invalid) {
		t.Errorf("signing as another server: %v", err)
	}
	c := bound()
	c.Server = evilID
	doc, err := c.Sign(evil)
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]peer.ID{"another": server, "none": {}} {
		if v, err := capability.Parse(doc, wanted); v != nil || !errors.Is(err, fault.Refused) || !errors.Is(err, capability.Forged) {
			t.Errorf("asked for %s server: %+v, %v", name, v, err)
		}
	}
	// The same body, put under another server's name without its signature.
	honest := signed(t, bound())
	forged := append(bytes.Clone(honest[:len(honest)-ed25519.SignatureSize]), doc[len(doc)-ed25519.SignatureSize:]...)
	if v, err := capability.Parse(forged, server); v != nil || !errors.Is(err, capability.Forged) {
		t.Errorf("a signature of another key: %+v, %v", v, err)
	}
}

func TestWhatNobodyWouldReadIsNotSigned(t *testing.T) {
	key, _ := keyOf(0x11)
	tests := []struct {
		name   string
		change func(c *capability.Capability)
	}{
		{"no share", func(c *capability.Capability) { c.Share = content.Hash{} }},
		{"no rights", func(c *capability.Capability) { c.Rights = 0 }},
		{"rights that are to come", func(c *capability.Capability) { c.Rights = 4 }},
		{"no time of issue", func(c *capability.Capability) { c.Issued = time.Time{} }},
		{"no end", func(c *capability.Capability) { c.NotAfter = time.Time{} }},
		{"an end before the beginning", func(c *capability.Capability) { c.NotAfter = c.Issued.Add(-time.Second) }},
		{"the year 10000", func(c *capability.Capability) { c.NotAfter = time.Unix(253402300800, 0) }},
	}
	for _, tt := range tests {
		c := bound()
		tt.change(&c)
		if doc, err := c.Sign(key); doc != nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %x, %v", tt.name, doc, err)
		}
	}
}

func TestWhoMayTakePart(t *testing.T) {
	_, server := keyOf(0x11)
	other := peer.ID{9}
	terms := capability.Terms{Server: server, Share: share, Audience: peer.Network}
	link := capability.Terms{Server: server, Share: share, Audience: peer.Link}
	bearer := bound()
	bearer.Node = peer.ID{}
	fetchOnly := bound()
	fetchOnly.Rights = capability.Fetch
	later := noon.Add(time.Hour)
	tests := []struct {
		name    string
		terms   capability.Terms
		cap     capability.Capability
		shower  peer.ID
		now     time.Time
		denials []capability.Denial
		want    error // nil: allowed
	}{
		{"its own node may", terms, bound(), node, later, nil, nil},
		{"another node may not", terms, bound(), other, later, nil, capability.OtherNode},
		{"nobody anonymous may", terms, bound(), peer.ID{}, later, nil, capability.OtherNode},
		{"whoever holds the ticket may", link, bearer, other, later, nil, nil},
		{"what is for holders of a ticket is not for the network", terms, bearer, node, later, nil, capability.OtherNode},
		{"in its last second it holds", terms, bound(), node, noon.Add(24*time.Hour + 999*time.Millisecond), nil, nil},
		{"in the second after that it has expired", terms, bound(), node, noon.Add(24*time.Hour + time.Second), nil, capability.Expired},
		{"a clock may be five minutes behind", terms, bound(), node, noon.Add(-5 * time.Minute), nil, nil},
		{"a clock a day behind is told so", terms, bound(), node, noon.Add(-24 * time.Hour), nil, capability.NotYet},
		{"another share's is refused", capability.Terms{Server: server, Share: content.Hash{1}}, bound(), node, later, nil, capability.OtherShare},
		{"another server's is refused", capability.Terms{Server: other, Share: share}, bound(), node, later, nil, capability.Forged},
		{"who may only fetch does not serve", terms, fetchOnly, node, later, nil, capability.NoRight},
		{"what was taken back is refused", terms, bound(), node, later, []capability.Denial{denial()}, capability.Revoked},
	}
	for _, tt := range tests {
		c, err := tt.terms.Check(tt.shower, signed(t, tt.cap), capability.Fetch|capability.Serve, tt.now, slices.Values(tt.denials))
		again := tt.terms.Allow(tt.cap, tt.shower, capability.Fetch|capability.Serve, tt.now, slices.Values(tt.denials))
		if !errors.Is(again, tt.want) || (again == nil) != (err == nil) {
			t.Errorf("%s, judged again: %v", tt.name, again)
		}
		if tt.want == nil {
			if err != nil || c != tt.cap {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if !errors.Is(err, tt.want) || fault.KindOf(err) != fault.Refused || c != (capability.Capability{}) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestWhatIsNoCapabilityIsRefused(t *testing.T) {
	key, server := keyOf(0x11)
	deny, err := denial().Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	terms := capability.Terms{Server: server, Share: share, Audience: peer.Link}
	for _, tt := range []struct {
		name string
		doc  []byte
		want capability.Reason
	}{
		{"nothing", nil, capability.Missing},
		{"noise", bytes.Repeat([]byte{7}, 200), capability.Forged},
		{"a denial, rightly signed", deny, capability.Forged},
	} {
		_, err := terms.Check(node, tt.doc, capability.Fetch, noon, nil)
		if !errors.Is(err, tt.want) || fault.KindOf(err) != fault.Refused {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestDenials(t *testing.T) {
	tests := []struct {
		name   string
		change func(d *capability.Denial)
		want   bool
	}{
		{"of the source takes back", func(*capability.Denial) {}, true},
		{"of this node takes back", func(d *capability.Denial) { d.Node = node }, true},
		{"of another node does not", func(d *capability.Denial) { d.Node = peer.ID{9} }, false},
		{"of another source does not", func(d *capability.Denial) { d.Source[0]++ }, false},
		{"of another server does not", func(d *capability.Denial) { d.Server[0]++ }, false},
		{"issued before the capability does not: access was given again", func(d *capability.Denial) { d.Issued = noon.Add(-time.Second) }, false},
		{"issued later takes back", func(d *capability.Denial) { d.Issued = noon.Add(time.Hour) }, true},
	}
	for _, tt := range tests {
		d := denial()
		tt.change(&d)
		if got := d.Denies(bound()); got != tt.want {
			t.Errorf("a denial %s: %v", tt.name, got)
		}
	}
}

// Two documents that say the same are one, whoever signed them; two that do not are two.
func TestIDIsOfTheBody(t *testing.T) {
	doc := signed(t, bound())
	resigned := bytes.Clone(doc)
	resigned[len(resigned)-1] ^= 1
	if capability.ID(doc) != capability.ID(resigned) {
		t.Error("the ID depends on the signature")
	}
	c := bound()
	c.NotAfter = c.NotAfter.Add(time.Second)
	if capability.ID(doc) == capability.ID(signed(t, c)) {
		t.Error("two documents have one ID")
	}
	if id := capability.ID(doc[:3]); !id.IsZero() {
		t.Errorf("three bytes have the ID %x", id)
	}
}

func TestNetworkSecretIsOfServerAndShare(t *testing.T) {
	a := capability.NetworkSecret(peer.ID{1}, content.Hash{2})
	for _, b := range [][32]byte{
		capability.NetworkSecret(peer.ID{2}, content.Hash{2}),
		capability.NetworkSecret(peer.ID{1}, content.Hash{1}),
	} {
		if a == b {
			t.Error("two shares have one secret")
		}
	}
}

func FuzzParse(f *testing.F) {
	key, server := keyOf(0x11)
	deny, err := denial().Sign(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed(f, bound()), false)
	f.Add(deny, false)
	f.Add(signed(f, bound())[:149], true)
	f.Add(deny[:len(deny)-64], true)
	f.Add([]byte{1, 1, 0}, true)
	f.Fuzz(func(t *testing.T, doc []byte, seal bool) {
		if seal && len(doc) > 0 { // what stands behind the signature
			label := map[byte]string{1: "capability", 2: "denial"}[doc[0]]
			doc = append(bytes.Clone(doc), ed25519.Sign(key, append([]byte("tandem/v1/"+label+"\x00"), doc[1:]...))...)
		}
		v, err := capability.Parse(doc, server)
		if err != nil {
			if !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Refused) {
				t.Fatalf("error of kind %v", fault.KindOf(err))
			}
			return
		}
		var again []byte
		switch v := v.(type) {
		case capability.Capability:
			again, err = v.Sign(key)
		case capability.Denial:
			again, err = v.Sign(key)
		}
		if err != nil || !bytes.Equal(again, doc) {
			t.Fatalf("%x was read and is written as %x, %v", doc, again, err)
		}
	})
}

//go:embed testdata/vectors.txt
var vectors string

// The form is what other nodes check for years: it stays. The vectors were computed apart.
func TestVectors(t *testing.T) {
	key, server := keyOf(0x11)
	bearer := bound()
	bearer.Node, bearer.Rights, bearer.NotAfter = peer.ID{}, capability.Fetch, noon.Add(7*24*time.Hour)
	nodeOnly := denial()
	nodeOnly.Node = node
	secret := capability.NetworkSecret(server, share)
	docs := map[string]interface {
		Sign(ed25519.PrivateKey) ([]byte, error)
	}{"bound": bound(), "bearer": bearer, "denial-all": denial(), "denial-node": nodeOnly}
	seen := 0
	for line := range strings.Lines(vectors) {
		f := strings.Fields(line)
		if line[0] == '#' {
			continue
		}
		seen++
		if v, ok := docs[f[0]]; ok {
			doc, err := v.Sign(key)
			id := capability.ID(doc)
			if err != nil || hex.EncodeToString(doc) != f[2] || hex.EncodeToString(id[:]) != f[1] {
				t.Errorf("%s: %x %x, %v", f[0], id, doc, err)
			}
		} else if f[0] == "network-secret" && hex.EncodeToString(secret[:]) != f[2] {
			t.Errorf("%s: %x", f[0], secret)
		}
	}
	if seen != 6 {
		t.Errorf("%d vectors", seen)
	}
}

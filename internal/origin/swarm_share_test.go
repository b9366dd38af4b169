package origin

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

func wantsTorrent(r *SwarmRequest) { r.Torrent = true }

// putBig stores more than is hashed while somebody waits.
func (d *desk) putBig(path string, seed byte) []byte {
	d.t.Helper()
	data := noise(seed, hashedAtOnce+100_000)
	_, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at(path), Size: int64(len(data))}, bytes.NewReader(data))
	ok(d.t, err)
	return data
}

// torrent is the v2 .torrent of files, as anybody makes it.
func torrent(t *testing.T, name string, files map[string]string) []byte {
	t.Helper()
	m := &content.Manifest{Name: name, HasV2: true}
	var total int64
	for path, text := range files {
		total += int64(len(text))
		if path == "" {
			m.Single, path = true, name
		}
		m.Files = append(m.Files, content.File{Path: strings.Split(path, "/"), Length: int64(len(text))})
	}
	slices.SortFunc(m.Files, func(a, b content.File) int { return content.ComparePaths(a.Path, b.Path) })
	m.PieceLength = content.PieceLength(total)
	m.Seal()
	d, err := content.HashFiles(t.Context(), m, false, true, openTexts(m, files), 1, nil)
	ok(t, err)
	to, err := metainfo.Build(m, d, metainfo.BuildOptions{V2: true, Comment: "by hand"})
	ok(t, err)
	b, err := to.Encode()
	ok(t, err)
	return b
}

func infoHash(t *testing.T, torrent []byte) content.Hash {
	t.Helper()
	m, err := metainfo.Parse(torrent)
	ok(t, err)
	return m.Manifest.InfoHash2
}

// Nodes are given the metadata that everybody would make of the same files.
func TestMetadataOfPlaces(t *testing.T) {
	d := newDesk(t)
	long := string(noise(3, 100_000)) // more than a piece
	d.put("pub/a/long", long)
	d.put("pub/b", "small")
	d.put("pub/empty", "")
	d.put("nothing", "")
	folder := torrent(t, "pub", map[string]string{"a/long": long, "b": "small", "empty": ""})
	for _, c := range []struct {
		name    string
		c       Caller
		at      Place
		torrent []byte
		files   []string
	}{
		{"a folder", d.ann, at("pub"), folder, []string{"a/long", "b", "empty"}},
		{"a link to a folder", d.linked("pub", nil), Place{}, folder, []string{"a/long", "b", "empty"}},
		{"a file", d.ann, at("pub/a/long"), torrent(t, "long", map[string]string{"": long}), []string{""}},
		{"a file below a link", d.linked("pub", nil), Place{Path: "b"}, torrent(t, "b", map[string]string{"": "small"}), []string{""}},
		{"an empty file", d.linked("nothing", nil), Place{}, torrent(t, "nothing", map[string]string{"": ""}), []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := d.joined(c.c, c.at, 1, wantsTorrent)
			if st.InfoHash != infoHash(t, c.torrent) || !slices.Equal(st.Files, c.files) {
				t.Fatalf("got %x %q", st.InfoHash, st.Files)
			}
			got, err := metainfo.Parse(st.Torrent)
			if ok(t, err); !got.Layers.Complete() {
				t.Fatal("piece layers are missing")
			}
			if st := d.joined(c.c, c.at, 1, nil); st.Torrent != nil || st.Files != nil {
				t.Fatal("sent though not asked for")
			}
		})
	}
	_, err := d.MakeFolder(d.ctx, d.ann, at("hollow"))
	ok(t, err)
	_, err = d.joins(d.ann, at("hollow"), 1, nil)
	want(t, err, fault.Invalid)
	lister := d.hire("lister", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "lister", Rights: policy.Read}))
	_, err = d.joins(lister, at("pub"), 1, nil) // metadata would tell the names in it
	want(t, err, fault.Permission)
}

// Long content is hashed in the background, once for all names and instances.
func TestLongContentIsHashedOnce(t *testing.T) {
	d := newDesk(t)
	d.putBig("big", 1)
	d.putBig("again", 1)
	_, err := d.joins(d.ann, at("big"), 1, nil)
	want(t, err, fault.Busy)
	if after, said := RetryAfter(err); !said || after > 2*time.Second {
		t.Fatalf("try again in %v, %v", after, said)
	}
	_, err = d.joins(d.ann, at("big"), 2, nil) // who asks again does not have it done twice
	want(t, err, fault.Busy)
	made, err := d.makeQueued(d.ctx)
	ok(t, err)
	if more, err := d.makeQueued(d.ctx); !made || more || err != nil {
		t.Fatalf("made %v, more %v, %v", made, more, err)
	}
	first := d.joined(d.ann, at("big"), 1, nil)
	other := d.instance()
	other.cfg.Blobs = d.blobs
	ok(t, d.blobs.Remove(d.ctx, sumOf(noise(1, hashedAtOnce+100_000)).Root)) // what is needed is in the catalog
	st, err := other.JoinSwarm(d.ctx, d.ann, at("big"), SwarmRequest{Node: node(1), Torrent: true}, base)
	ok(t, err)
	if st.InfoHash != first.InfoHash || st.Server != first.Server {
		t.Fatal("another instance tells another share, or signs with another key")
	}
	_ = d.joined(d.ann, at("again"), 1, nil)
	public := d.share("big", func(r *LinkRequest) { r.Audience = peer.Public })
	if public.Ready || public.Link.Torrent != catalog.TorrentWanted {
		t.Fatalf("ready though not hashed: %+v", public)
	}
}

// What a link leads to is replaced: who has the old is told, who comes gets the new, never a mix.
func TestReplacedContentIsAnotherShare(t *testing.T) {
	d := newDesk(t)
	d.put("pub/a", "one")
	v := d.share("pub", nil)
	for name, who := range map[string]struct {
		c  Caller
		at Place
	}{"a link": {d.by(v), Place{}}, "a place": {d.ann, at("pub")}} {
		t.Run(name, func(t *testing.T) {
			d.put("pub/a", "one")
			old := d.joined(who.c, who.at, 1, nil)
			d.put("pub/a", "two")
			_, err := d.joins(who.c, who.at, 1, func(r *SwarmRequest) { r.InfoHash = old.InfoHash })
			want(t, err, fault.Precondition)
			if fresh := d.joined(who.c, who.at, 1, nil); fresh.InfoHash == old.InfoHash {
				t.Fatal("the same share")
			}
		})
	}
	// A new name is not new content.
	st := d.joined(d.by(v), Place{}, 1, nil)
	_, err := d.Move(d.ctx, d.ann, at("pub"), at("public"))
	ok(t, err)
	if now := d.joined(d.by(v), Place{}, 1, nil); now.InfoHash != st.InfoHash {
		t.Fatal("renamed, and another share")
	}
}

// A link made ahead of its content gives no right to anything, and becomes ordinary when the content is there.
func TestALinkAheadOfItsContent(t *testing.T) {
	d := newDesk(t)
	ahead := torrent(t, "trip", map[string]string{"a": "one", "b/c": "two"})
	v := d.share("new/trip 2026", func(r *LinkRequest) { r.Torrent, r.Copies = ahead, 2 })
	if !v.Pending || !v.Ready || !v.Live || v.At != at("new/trip 2026") {
		t.Fatalf("got %+v", v)
	}
	ticket, err := metainfo.ParseTicket(v.Fragment(base))
	if ok(t, err); ticket.InfoHash != infoHash(t, ahead) {
		t.Fatalf("got %+v", ticket)
	}
	c := d.by(v)
	for _, place := range []Place{{}, {Path: "a"}, {Path: "new"}} {
		_, err = d.Stat(d.ctx, c, place)
		want(t, err, fault.Busy)
		_, err = d.read(c, place)
		want(t, err, fault.Busy)
		_, err = d.List(d.ctx, c, place, "", 0)
		want(t, err, fault.Busy)
		_, _, err = d.Put(d.ctx, c, UploadRequest{At: place, Size: 1}, strings.NewReader("x"))
		want(t, err, fault.Busy)
	}
	sharer := d.joined(c, Place{}, 1, func(r *SwarmRequest) { r.Have, r.Total = 6, 6 })
	st := d.joined(c, Place{}, 2, wantsTorrent)
	if !sharer.Upload || !st.Upload || len(st.Peers) != 1 || st.Holders != 1 || st.Copies != 2 || !slices.Equal(st.Files, []string{"a", "b/c"}) {
		t.Fatalf("got %+v", st)
	}
	if bytes.Contains(st.Torrent, []byte("by hand")) {
		t.Fatal("what the sharer wrote into its torrent is passed on")
	}
	steps := []struct {
		path, text string
		pending    bool
	}{
		{"new/trip 2026/a", "one", true},
		{"new/trip 2026/b/c", "other", true},
		{"new/trip 2026/b/d", "", true},
		{"new/trip 2026/b/c", "two", true},
	}
	for _, step := range steps {
		d.put(step.path, step.text)
		ok(t, d.watchPending(d.ctx))
		if v, err = d.LinkInfo(d.ctx, d.ann, v.Link.ID); err != nil || v.Pending != step.pending {
			t.Fatalf("with %s %q: %v, %v", step.path, step.text, v.Pending, err)
		}
	}
	_, err = d.Trash(d.ctx, d.ann, at("new/trip 2026/b/d"))
	ok(t, err)
	if st := d.joined(c, Place{}, 2, nil); st.Upload || st.InfoHash != infoHash(t, ahead) { // whoever is first to see it
		t.Fatalf("got %+v", st)
	}
	if text, err := d.read(d.by(v), Place{Path: "b/c"}); err != nil || text != "two" {
		t.Fatalf("got %q, %v", text, err)
	}
	if v, err = d.LinkInfo(d.ctx, d.ann, v.Link.ID); err != nil || v.Pending || v.Link.Node == 0 || v.At != at("new/trip 2026") {
		t.Fatalf("got %+v, %v", v, err)
	}
}

func TestLinksAheadOfTheirContentAreRefused(t *testing.T) {
	d := newDesk(t)
	good := torrent(t, "x", map[string]string{"": "text"})
	long := torrent(t, "x", map[string]string{"": string(noise(1, 100_000))})
	m, err := metainfo.Parse(long)
	ok(t, err)
	bare, err := metainfo.FromInfo(m.Info)
	ok(t, err)
	layerless, err := bare.Encode()
	ok(t, err)
	bob := d.hire("bob", policy.Publisher)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	d.put("pub", "x")
	public := d.by(d.share("pub", func(r *LinkRequest) { r.Audience = peer.Public }))
	hybrid, _, err := d.TorrentFile(d.ctx, public, base)
	ok(t, err)
	for _, c := range []struct {
		name   string
		caller Caller
		edit   func(*LinkRequest)
		kind   fault.Kind
	}{
		{"of who may not publish there", bob, nil, fault.Permission},
		{"of who comes by a link", public, nil, fault.Permission},
		{"with a password", d.ann, locked, fault.Invalid},
		{"with a limit", d.ann, limited, fault.Invalid},
		{"for everybody", d.ann, func(r *LinkRequest) { r.Audience = peer.Public }, fault.Invalid},
		{"for uploads", d.ann, func(r *LinkRequest) { r.Kind = "upload" }, fault.Invalid},
		{"with something else", d.ann, func(r *LinkRequest) { r.Torrent = []byte("x") }, fault.Invalid},
		{"with a v1 half", d.ann, func(r *LinkRequest) { r.Torrent = hybrid }, fault.Invalid},
		{"without piece layers", d.ann, func(r *LinkRequest) { r.Torrent = layerless }, fault.Invalid},
		{"of no name", d.ann, func(r *LinkRequest) { r.At = at("") }, fault.Invalid},
		{"too many copies", d.ann, func(r *LinkRequest) { r.Copies = mostCopies + 1 }, fault.Invalid},
		{"without a v2 half", d.ann, func(r *LinkRequest) { r.V1 = true }, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := LinkRequest{At: at("to/come"), Kind: catalog.ShareLink, Torrent: good}
			if c.edit != nil {
				c.edit(&r)
			}
			_, err := d.CreateLink(d.ctx, c.caller, r)
			want(t, err, c.kind)
		})
	}
}

// What a link hands out, in its views as in joins.
func TestWhatALinkHandsOut(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	v := d.share("f", nil)
	if st := d.joined(d.by(v), Place{}, 1, nil); st.InfoHash.IsZero() {
		t.Fatal("no share")
	}
	list, err := d.Links(d.ctx, d.ann, "")
	ok(t, err)
	for name, view := range map[string]LinkView{"in a list": list[0], "made": v} {
		ticket, err := metainfo.ParseTicket(view.Fragment(base))
		ok(t, err)
		if !view.Ready || ticket.Name != "f" || !ticket.NotAfter.Equal(d.clock().Add(bearerLife)) {
			t.Fatalf("%s: %+v", name, ticket)
		}
		if name == "in a list" && (len(ticket.Addrs) != 1 || ticket.Addrs[0].Port() != 7000) {
			t.Fatalf("peers %v", ticket.Addrs)
		}
	}
	a, err := metainfo.ParseTicket(d.share("f", nil).Fragment(base))
	ok(t, err)
	b, err := metainfo.ParseTicket(v.Fragment(base))
	if ok(t, err); a.Secret == b.Secret || a.InfoHash != b.InfoHash {
		t.Fatal("two links have one secret, or two shares")
	}
	public := d.share("f", func(r *LinkRequest) { r.Audience = peer.Public })
	magnet, err := metainfo.ParseMagnet(public.Fragment(base))
	ok(t, err)
	if magnet.Trackers[0] != base+"/announce" || magnet.WebSeeds[0] != base+"/s/"+public.Link.Token+"/download" ||
		magnet.InfoHash1.IsZero() || magnet.InfoHash2.IsZero() {
		t.Fatalf("got %+v", magnet)
	}
	for name, edit := range map[string]func(*LinkRequest){"a password": locked, "a limit": limited, "an upload link": func(r *LinkRequest) { r.At, r.Kind = at(""), "upload" }} {
		if v := d.share("f", edit); !v.Ready || v.Fragment(base) != "" {
			t.Fatalf("%s: %v %q", name, v.Ready, v.Fragment(base))
		}
	}
	ok(t, d.RevokeLink(d.ctx, d.ann, v.Link.ID))
	if fragment, _, err := d.LinkFragment(d.ctx, d.ann, v.Link.ID, base); err != nil || fragment != "" {
		t.Fatalf("a revoked link hands out %q, %v", fragment, err)
	}
}

// The print of a tree and that of its torrent are one, and no other tree's.
func TestPrintsTellContentApart(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "a/b", "c/d", "c/e", "z"})
	trees := rapid.MapOfN(name, rapid.SampledFrom([]string{"", "x", "y", strings.Repeat("x", 20_000)}), 1, 4)
	print := func(t *rapid.T, files map[string]string) (content.Hash, bool) {
		m := &content.Manifest{Name: "n", HasV2: true, PieceLength: content.PieceLength(1)}
		for path, text := range files {
			if _, both := files[path+"/b"]; both && path == "a" {
				return content.Hash{}, false
			}
			m.Files = append(m.Files, content.File{Path: strings.Split(path, "/"), Length: int64(len(text))})
		}
		slices.SortFunc(m.Files, func(a, b content.File) int { return content.ComparePaths(a.Path, b.Path) })
		p := newPrinting(false)
		for i := range m.Files {
			sum := sumOf([]byte(files[joinNames(m.Files[i].Path)]))
			m.Files[i].Root = sum.Root
			p.add(joinNames(m.Files[i].Path), sum.Size, sum.Root)
		}
		if printOf(m) != p.sum() {
			t.Fatal("a tree and its torrent have two prints")
		}
		return p.sum(), true
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := trees.Draw(t, "a"), trees.Draw(t, "b")
		pa, ok1 := print(t, a)
		pb, ok2 := print(t, b)
		same := len(a) == len(b)
		for path, text := range a {
			other, there := b[path]
			same = same && there && other == text
		}
		if ok1 && ok2 && same != (pa == pb) {
			t.Fatalf("same %v, prints equal %v", same, pa == pb)
		}
	})
}

func openTexts(m *content.Manifest, files map[string]string) content.OpenFunc {
	return func(i int) (io.ReaderAt, io.Closer, error) {
		path := joinNames(m.Files[i].Path)
		if m.Single {
			path = ""
		}
		return strings.NewReader(files[path]), nil, nil
	}
}

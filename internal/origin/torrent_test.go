package origin

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
)

// The .torrent of a public link names what the folder holds, and the server as tracker and web seed.
func TestPublicLinksHaveATorrent(t *testing.T) {
	d := newDesk(t)
	big := noise(1, 100_000)
	d.put("pub/a/big", string(big))
	d.put("pub/b", "small")
	d.put("pub/empty", "")
	v := d.share("pub", func(r *LinkRequest) { r.Audience = peer.Public })
	c := d.by(v)
	_, _, err := d.TorrentFile(d.ctx, d.by(d.share("pub", nil)), base)
	want(t, err, fault.NotFound)
	files := func() map[string]content.Hash {
		data, name, err := d.TorrentFile(d.ctx, c, base)
		ok(t, err)
		m, err := metainfo.Parse(data)
		ok(t, err)
		if name != "pub.torrent" || m.Manifest.Name != "pub" || !m.Manifest.HasV1 || !m.Manifest.HasV2 {
			t.Fatalf("got %q of %+v", name, m.Manifest)
		}
		if len(m.Trackers) != 1 || m.Trackers[0][0] != base+"/announce" || len(m.WebSeeds) != 1 || m.WebSeeds[0] != base+"/s/"+v.Link.Token+"/seed/" {
			t.Fatalf("trackers %q, web seeds %q", m.Trackers, m.WebSeeds)
		}
		files := map[string]content.Hash{}
		for _, f := range m.Manifest.Files {
			if !f.Pad {
				files[joinNames(f.Path)] = f.Root
			}
		}
		return files
	}
	if got := files(); len(got) != 3 || got["a/big"] != sumOf(big).Root || got["b"] != sumOf([]byte("small")).Root {
		t.Fatalf("got %v", got)
	}
	d.put("pub/later", "x")
	if got := files(); len(got) != 4 {
		t.Fatalf("after a change: %v", got)
	}
}

// unmake takes the metadata of a link away, as if it were larger than what is made at once.
func (d *desk) unmake(v LinkView) {
	d.t.Helper()
	err := d.cat.Update(d.ctx, func(tx *catalog.Tx) error {
		return errors.Join(tx.Settings.Set(torrentKey(v.Link.ID), ""),
			tx.Links.SetTorrent(v.Link.ID, catalog.TorrentMade, nil, catalog.Metadata{}),
			tx.Links.SetTorrent(v.Link.ID, catalog.TorrentWanted, nil, catalog.Metadata{}))
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.swarm.shares.open()
}

func TestATorrentOfOneFile(t *testing.T) {
	d := newDesk(t)
	d.put("f.txt", "text")
	v := d.share("f.txt", func(r *LinkRequest) { r.Audience = peer.Public })
	d.unmake(v)
	made, err := d.makeTorrent(d.ctx)
	ok(t, err)
	if again, err := d.makeTorrent(d.ctx); !made || again || err != nil {
		t.Fatalf("made %v, again %v, %v", made, again, err)
	}
	data, name, err := d.TorrentFile(d.ctx, d.by(v), base)
	ok(t, err)
	m, err := metainfo.Parse(data)
	if ok(t, err); !m.Manifest.Single || name != "f.txt.torrent" || m.WebSeeds[0] != base+"/s/"+v.Link.Token+"/download" {
		t.Fatalf("%q of %+v, %q", name, m.Manifest, m.WebSeeds)
	}
}

// Clients that cannot read hybrids have one without the v2 half; it is known by its SHA-1.
func TestATorrentWithoutItsV2Half(t *testing.T) {
	d := newDesk(t)
	d.put("f.txt", "text")
	v := d.share("f.txt", func(r *LinkRequest) { r.Audience, r.V1 = peer.Public, true })
	data, _, err := d.TorrentFile(d.ctx, d.by(v), base)
	ok(t, err)
	m, err := metainfo.Parse(data)
	if ok(t, err); m.Manifest.HasV2 || !m.Manifest.HasV1 {
		t.Fatalf("got %+v", m.Manifest)
	}
	st, err := d.JoinSwarm(d.ctx, d.by(v), Place{}, SwarmRequest{Node: peer.ID{1}}, base)
	ok(t, err)
	if st.InfoHash.Truncated() != m.Manifest.InfoHash1 || !content.Hash(append(make([]byte, 20), st.InfoHash[20:]...)).IsZero() {
		t.Fatalf("known as %x, SHA-1 %x", st.InfoHash, m.Manifest.InfoHash1)
	}
	if !d.Tracks(m.Manifest.InfoHash1) || d.Tracks(content.SHA1{1}) {
		t.Fatal("the tracker does not know it, or knows anything")
	}
	ok(t, d.RevokeLink(d.ctx, d.ann, v.Link.ID))
	if d.Tracks(m.Manifest.InfoHash1) {
		t.Fatal("tracked though revoked")
	}
}

func TestTorrentsThatCannotBeMade(t *testing.T) {
	for name, spoil := range map[string]func(*desk){
		"of nothing":         func(d *desk) { ok(d.t, d.forget("pub/f")) },
		"of what is damaged": func(d *desk) { d.blobs.Damage(sumOf([]byte("text")).Root, false) },
		"of what is missing": func(d *desk) { ok(d.t, d.blobs.Remove(d.ctx, sumOf([]byte("text")).Root)) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.put("pub/f", "text")
			v := d.share("pub", func(r *LinkRequest) { r.Audience = peer.Public })
			spoil(d)
			d.unmake(v)
			_, err := d.makeTorrent(d.ctx)
			ok(t, err)
			v, err = d.linkInfo(d.ctx, d.ann, v.Link.ID)
			if ok(t, err); v.Link.Torrent != catalog.TorrentFailed || !v.Ready || v.Fragment(base) != "" {
				t.Fatalf("got %+v", v)
			}
		})
	}
}

// Two instances do not make the same .torrent; a dead one's is made by another.
func TestOneInstanceMakesATorrent(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	d.unmake(d.share("f", func(r *LinkRequest) { r.Audience = peer.Public }))
	l, err := d.claimTorrent(d.ctx)
	ok(t, err)
	if l.ID == 0 {
		t.Fatal("nothing to make")
	}
	other := d.instance()
	other.cfg.Blobs = d.blobs
	if made, err := other.makeTorrent(d.ctx); err != nil || made {
		t.Fatalf("made beside another: %v, %v", made, err)
	}
	ok(t, d.renewTorrentLease(d.ctx, l.ID))
	d.pass(torrentLease)
	made, err := other.makeTorrent(d.ctx)
	if ok(t, err); !made {
		t.Fatal("left by a dead instance")
	}
}

func TestSeekReaderReadsAnywhere(t *testing.T) {
	r := &seekReader{f: bytes.NewReader([]byte("0123456789"))}
	b := make([]byte, 4)
	if n, err := r.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" {
		t.Fatalf("%d %v %q", n, err, b)
	}
	if n, err := r.ReadAt(b, 8); n != 2 || !errors.Is(err, io.EOF) {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := r.ReadAt(b, 20); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("%d %v", n, err)
	}
}

package origin

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
)

// The .torrent of a public link names what the folder held when it was made.
func TestPublicLinksHaveATorrent(t *testing.T) {
	d := newDesk(t)
	big := noise(1, 100_000)
	d.put("pub/a/big", string(big))
	d.put("pub/b", "small")
	d.put("pub/empty", "")
	v := d.share("pub", func(r *LinkRequest) { r.Audience = peer.Public })
	c := d.by(v)
	_, _, err := d.Torrent(d.ctx, c)
	want(t, err, fault.Busy)
	_, _, err = d.Torrent(d.ctx, d.by(d.share("pub", nil)))
	want(t, err, fault.NotFound)
	made, err := d.makeTorrent(d.ctx)
	ok(t, err)
	if !made {
		t.Fatal("none was made")
	}
	d.put("pub/later", "x")
	data, name, err := d.Torrent(d.ctx, c)
	ok(t, err)
	m, err := metainfo.Parse(data)
	ok(t, err)
	if name != "pub.torrent" || m.Manifest.Name != "pub" || !m.Manifest.HasV1 || !m.Manifest.HasV2 {
		t.Fatalf("got %q of %+v", name, m.Manifest)
	}
	files := map[string]content.Hash{}
	for _, f := range m.Manifest.Files {
		if !f.Pad {
			files[joinNames(f.Path)] = f.Root
		}
	}
	if len(files) != 3 || files["a/big"] != sumOf(big).Root || files["b"] != sumOf([]byte("small")).Root {
		t.Fatalf("got %v", files)
	}
	if made, err = d.makeTorrent(d.ctx); err != nil || made {
		t.Fatalf("made again: %v", err)
	}
}

func TestATorrentOfOneFile(t *testing.T) {
	d := newDesk(t)
	d.put("f.txt", "text")
	v := d.share("f.txt", func(r *LinkRequest) { r.Audience = peer.Public })
	_, err := d.makeTorrent(d.ctx)
	ok(t, err)
	data, name, err := d.Torrent(d.ctx, d.by(v))
	ok(t, err)
	m, err := metainfo.Parse(data)
	if ok(t, err); !m.Manifest.Single || name != "f.txt.torrent" {
		t.Fatalf("%q of %+v", name, m.Manifest)
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
			_, err := d.makeTorrent(d.ctx)
			ok(t, err)
			_, _, err = d.Torrent(d.ctx, d.by(v))
			want(t, err, fault.NotFound)
		})
	}
}

// Two instances do not make the same .torrent; a dead one's is made by another.
func TestOneInstanceMakesATorrent(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	d.share("f", func(r *LinkRequest) { r.Audience = peer.Public })
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

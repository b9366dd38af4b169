package origin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// begin begins an upload by ann.
func (d *desk) begin(path string, data []byte) catalog.Upload {
	d.t.Helper()
	u, err := d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at(path), Size: int64(len(data)), SHA256: sha256.Sum256(data)})
	if err != nil {
		d.t.Fatal(err)
	}
	return u
}

// broken gives some bytes and then an error.
func broken(b []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(b), &failing{errors.New("the cable was pulled")})
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// Whatever breaks off where, and whoever goes on: the file is the one that was sent.
func TestUploadsThatBreakOffGiveTheSameFile(t *testing.T) {
	d := newDesk(t)
	other := d.instance()
	other.cfg.Blobs = d.blobs
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := fmt.Sprintf("f%d", n)
		data := noise(byte(n), rapid.IntRange(1, 400_000).Draw(t, "size"))
		u := d.begin(path, data)
		for cuts := rapid.IntRange(0, 2).Draw(t, "cuts"); u.Offset < u.Size; cuts-- {
			s := d.Server
			if rapid.Bool().Draw(t, "another instance") {
				s = other
			}
			more := rapid.IntRange(1, len(data)-int(u.Offset)).Draw(t, "more")
			if cuts <= 0 {
				more = len(data) - int(u.Offset)
			}
			part := data[u.Offset : int(u.Offset)+more]
			var body io.Reader = bytes.NewReader(part)
			if rapid.Bool().Draw(t, "breaks") {
				body = broken(part)
			}
			got, e, err := s.WriteUpload(d.ctx, d.ann, u.ID, u.Offset, body)
			if err != nil && !errors.Is(err, fault.Closed) {
				t.Fatal(err)
			}
			if e == nil && got.Offset != u.Offset+int64(more) {
				t.Fatalf("at %d after %d more from %d", got.Offset, more, u.Offset)
			}
			if u, err = s.Upload(d.ctx, d.ann, u.ID); err != nil {
				t.Fatal(err)
			}
		}
		if u.Node == 0 {
			t.Fatal("all bytes are there, and no file")
		}
		if got, err := d.read(d.ann, at(path)); err != nil || got != string(data) {
			t.Fatalf("another file, or %v", err)
		}
		// The last request may be sent again: its answer was lost.
		if _, e, err := d.WriteUpload(d.ctx, d.ann, u.ID, u.Size, strings.NewReader("")); err != nil || e == nil || e.Path != path {
			t.Fatalf("asked again: %v, %v", e, err)
		}
	})
	if _, reserved := d.used(); reserved != 0 {
		t.Fatalf("%d bytes are still reserved", reserved)
	}
}

func TestUploadRefuses(t *testing.T) {
	d := newDesk(t)
	bob := d.hire("bob", policy.Publisher)
	data := noise(7, 2<<20)
	for _, c := range []struct {
		name   string
		caller Caller
		offset int64
		body   io.Reader
		kind   fault.Kind
		gone   bool // the upload is gone with it
	}{
		{"another's upload is absent", bob, 0, bytes.NewReader(data), fault.NotFound, false},
		{"nobody is asked to sign in", from(1), 0, bytes.NewReader(data), fault.Unauthenticated, false},
		{"an offset that is not the upload's", d.ann, 5, bytes.NewReader(data), fault.Precondition, false},
		{"an offset below zero", d.ann, -1, bytes.NewReader(data), fault.Precondition, false},
		{"more bytes than were announced", d.ann, 0, bytes.NewReader(append(data[:len(data):len(data)], 1)), fault.Invalid, true},
		{"a body that breaks off", d.ann, 0, broken(data[:1000]), fault.Closed, false},
		{"other bytes than were announced", d.ann, 0, bytes.NewReader(noise(8, len(data))), fault.Corrupt, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := d.begin("f", data)
			_, e, err := d.WriteUpload(d.ctx, c.caller, u.ID, c.offset, c.body)
			want(t, err, c.kind)
			if e != nil {
				t.Fatal("refused, and a file")
			}
			if names := d.names(""); len(names) != 0 {
				t.Fatalf("half a file is to be seen: %q", names)
			}
			_, err = d.Upload(d.ctx, d.ann, u.ID)
			if c.gone {
				want(t, err, fault.NotFound)
			} else {
				ok(t, err)
				ok(t, d.DropUpload(d.ctx, d.ann, u.ID))
			}
			if used, reserved := d.used(); used != 0 || reserved != 0 {
				t.Fatalf("used %d, reserved %d", used, reserved)
			}
		})
	}
	for range d.blobs.Stages(d.ctx) {
		t.Fatal("staged bytes are left")
	}
}

func TestUploadNamesThatNobodyMade(t *testing.T) {
	d := newDesk(t)
	for _, id := range []string{"", "../x", "A", strings.Repeat("a", 65), "abc", "a\x00"} {
		_, err := d.Upload(d.ctx, d.ann, id)
		want(t, err, fault.NotFound)
		want(t, d.DropUpload(d.ctx, d.ann, id), fault.NotFound)
	}
}

// forget removes a file for good.
func (d *desk) forget(path string) error {
	n, err := d.Trash(d.ctx, d.ann, at(path))
	if err != nil {
		return err
	}
	return d.Purge(d.ctx, d.ann, "c", n.ID)
}

func TestAnUploadOfNothingIsFinishedAtOnce(t *testing.T) {
	d := newDesk(t)
	u := d.begin("empty", nil)
	if u.Node == 0 || !slices.Equal(d.names(""), []string{"empty"}) {
		t.Fatalf("got %+v", u)
	}
	if again, err := d.Upload(d.ctx, d.ann, u.ID); err != nil || again.Node != u.Node {
		t.Fatalf("asked again: %+v, %v", again, err)
	}
}

func TestTwoUploadsToOneNameAreTwoVersions(t *testing.T) {
	d := newDesk(t)
	a, b := noise(1, 100_000), noise(2, 100_000)
	first, second := d.begin("f", a), d.begin("f", b)
	_, _, err := d.WriteUpload(d.ctx, d.ann, second.ID, 0, bytes.NewReader(b))
	ok(t, err)
	_, _, err = d.WriteUpload(d.ctx, d.ann, first.ID, 0, bytes.NewReader(a))
	ok(t, err)
	v, err := d.Versions(d.ctx, d.ann, at("f"))
	ok(t, err)
	if len(v) != 2 || v[0].Sum.SHA256 != sha256.Sum256(a) || v[1].Sum.SHA256 != sha256.Sum256(b) {
		t.Fatalf("got %d versions", len(v))
	}
}

// stuck is a body of a connection that died: it gives some bytes and then nothing, until it is
// told to end.
type stuck struct {
	io.Reader
	reached chan struct{} // closed when it is stuck
	ended   chan struct{}
}

func newStuck(b []byte) *stuck {
	return &stuck{bytes.NewReader(b), make(chan struct{}), make(chan struct{})}
}

func (s *stuck) Read(b []byte) (int, error) {
	if n, _ := s.Reader.Read(b); n > 0 {
		return n, nil
	}
	close(s.reached)
	<-s.ended
	return 0, errors.New("ended")
}

func (s *stuck) Abort() { close(s.ended) }

func TestALaterWriterTakesOver(t *testing.T) {
	for name, ask := range map[string]func(*desk, catalog.Upload, []byte) error{
		"by asking how far it is": func(d *desk, u catalog.Upload, data []byte) error {
			u, err := d.Upload(d.ctx, d.ann, u.ID)
			if err != nil { // where it is depends on how far the other had come
				return err
			}
			_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, u.Offset, bytes.NewReader(data[u.Offset:]))
			return err
		},
		"by giving it up": func(d *desk, u catalog.Upload, data []byte) error {
			return d.DropUpload(d.ctx, d.ann, u.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			data := noise(5, 1<<20)
			u := d.begin("f", data)
			body := newStuck(data[:300_000])
			done := make(chan error, 1)
			go func() {
				_, _, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, body)
				done <- err
			}()
			<-body.reached
			ok(t, ask(d, u, data))
			want(t, <-done, fault.Busy)
		})
	}
}

func TestAWriterOfAnotherInstanceTakesOver(t *testing.T) {
	d := newDesk(t)
	other := d.instance()
	other.cfg.Blobs = d.blobs
	data := noise(6, 1<<20)
	u := d.begin("f", data)
	body, feed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, _, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, body)
		done <- err
	}()
	_, err := feed.Write(data[:500_000])
	ok(t, err)
	_, e, err := other.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
	ok(t, err)
	if e == nil {
		t.Fatal("no file")
	}
	_, err = feed.Write(data[500_000:])
	ok(t, err)
	ok(t, feed.Close())
	if err := <-done; err == nil {
		t.Fatal("both writers think they finished")
	}
	if got, err := d.read(d.ann, at("f")); err != nil || got != string(data) {
		t.Fatalf("another file, or %v", err)
	}
}

// Some room is left free on the device, and that is known before the first byte.
func TestUploadsLeaveRoom(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		name          string
		device, least int64
		size          int64
		fits          bool
	}{
		{"a twentieth is left", 1000, 0, 950, true},
		{"no more than a twentieth is left", 1000, 0, 951, false},
		{"what was asked for is left", 1000, 400, 600, true},
		{"less than what was asked for is left", 1000, 400, 601, false},
		{"nothing is always stored", 1000, 2000, 0, true},
		{"nobody knows how much room there is", 0, 400, 1 << 40, true},
		{"more than anything can hold", 0, 0, maxUpload + 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.blobs.Limit(c.device)
			d.cfg.MinFree = c.least
			if err := d.room(c.size); (err == nil) != c.fits {
				t.Fatal(err)
			}
		})
	}
	d.blobs.Limit(1000)
	d.cfg.MinFree = 990
	body := &failing{errors.New("it was read")}
	_, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at("f"), Size: 11}, body)
	want(t, err, fault.Full)
	_, err = d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at("f"), Size: 11})
	want(t, err, fault.Full)
	_, err = d.PutBatch(d.ctx, d.ann, at(""), []BatchFile{{Path: "f", Content: make([]byte, 11)}})
	want(t, err, fault.Full)
}

func TestAFullDiskKeepsTheUpload(t *testing.T) {
	d := newDesk(t)
	data := noise(8, 3<<20)
	d.blobs.Limit(0)
	u := d.begin("f", data)
	d.blobs.Limit(2 << 20)
	_, _, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
	want(t, err, fault.Full)
	d.blobs.Limit(0)
	u, err = d.Upload(d.ctx, d.ann, u.ID)
	ok(t, err)
	_, e, err := d.WriteUpload(d.ctx, d.ann, u.ID, u.Offset, bytes.NewReader(data[u.Offset:]))
	ok(t, err)
	if e == nil {
		t.Fatal("no file")
	}
}

// lame is a catalog that fails so many Updates to come.
type lame struct {
	catalog.Catalog
	mu    sync.Mutex
	fails func(n int) bool
	n     int
}

func (l *lame) Update(ctx context.Context, f func(*catalog.Tx) error) error {
	l.mu.Lock()
	l.n++
	fail := l.fails != nil && l.fails(l.n)
	l.mu.Unlock()
	if fail {
		return fault.Errorf(fault.Unreachable, "the database does not answer")
	}
	return l.Catalog.Update(ctx, f)
}

func (l *lame) failing(f func(n int) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n, l.fails = 0, f
}

// The catalog may go away for a moment at any step of a write, and for good.
func TestUploadsOutliveTheCatalog(t *testing.T) {
	d := newDesk(t)
	l := &lame{Catalog: d.cfg.Catalog}
	d.cfg.Catalog = l
	data := noise(10, 1<<20)
	for step := 2; step <= 3; step++ { // the first takes the upload: nothing has been sent then
		u := d.begin("f", data)
		l.failing(func(n int) bool { return n == step })
		_, e, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
		l.failing(nil)
		if err != nil || e == nil {
			t.Fatalf("without an answer at step %d: %v", step, err)
		}
	}
}

// When it stays away the upload does, too, and its last step can be made up for.
func TestUploadsOutliveALongAbsenceOfTheCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskInBubble(t)
		l := &lame{Catalog: d.cfg.Catalog}
		d.cfg.Catalog = l
		data := noise(10, 1<<20)
		u := d.begin("g", data)
		l.failing(func(n int) bool { return n > 2 })
		begun := time.Now()
		_, _, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
		want(t, err, fault.Unreachable)
		if took := time.Since(begun); took < 9*time.Second || took > 30*time.Second {
			t.Fatalf("gave up after %v", took)
		}
		l.failing(nil)
		if u, err = d.Upload(d.ctx, d.ann, u.ID); err != nil || u.Node == 0 { // asking finishes it
			t.Fatalf("got %+v, %v", u, err)
		}
		if got, err := d.read(d.ann, at("g")); err != nil || got != string(data) {
			t.Fatalf("another file, or %v", err)
		}
	})
}

// A crash between any two steps leaves an upload that can be gone on with.
func TestUploadsOutliveTheStore(t *testing.T) {
	d := newDesk(t)
	for i, op := range []string{"write", "sync", "commit"} {
		t.Run(op, func(t *testing.T) {
			data := noise(byte(20+i), 1<<20)
			u := d.begin(op, data)
			fails := true
			d.blobs.Inject(func(did string) error {
				if fails && strings.Contains(strings.ToLower(did), op) {
					fails = false
					return fault.Errorf(fault.Unreachable, "the store does not answer")
				}
				return nil
			})
			_, _, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
			d.blobs.Inject(func(string) error { return nil })
			if fails {
				t.Fatal("the store was never asked")
			}
			if err == nil {
				return // it was tried again
			}
			want(t, err, fault.Unreachable)
			if u, err = d.Upload(d.ctx, d.ann, u.ID); err != nil {
				t.Fatal(err)
			}
			if u.Node == 0 {
				_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, u.Offset, bytes.NewReader(data[u.Offset:]))
				ok(t, err)
			}
			got, err := d.read(d.ann, at(op))
			if ok(t, err); got != string(data) {
				t.Fatal("another file")
			}
		})
	}
}

// Bytes that the store lost are asked for again.
func TestLostStagesBeginAnew(t *testing.T) {
	d := newDesk(t)
	data := noise(12, 1<<20)
	u := d.begin("f", data)
	_, _, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, broken(data[:500_000]))
	want(t, err, fault.Closed)
	ok(t, d.blobs.DropStage(d.ctx, u.ID))
	_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, 500_000, bytes.NewReader(data[500_000:]))
	want(t, err, fault.Precondition)
	if u, err = d.Upload(d.ctx, d.ann, u.ID); err != nil || u.Offset != 0 {
		t.Fatalf("at %d, %v", u.Offset, err)
	}
	_, e, err := d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
	ok(t, err)
	if e == nil {
		t.Fatal("no file")
	}
}

func TestUploadsExpire(t *testing.T) {
	d := newDesk(t)
	u := d.begin("f", noise(1, 100))
	d.pass(8 * 24 * time.Hour)
	_, err := d.Upload(d.ctx, d.login("ann"), u.ID)
	want(t, err, fault.NotFound)
}

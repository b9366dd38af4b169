package origin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func TestPutRefuses(t *testing.T) {
	d := newDesk(t)
	bob := d.hire("bob", policy.Publisher)
	reader := d.hire("rob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "rob", Rights: policy.AllRights}))
	old := d.put("there", "old")
	d.put("folder/x", "x")
	for _, size := range []int{100, 2 << 20} {
		data := noise(9, size)
		req := func(path string, edit func(*UploadRequest)) UploadRequest {
			r := UploadRequest{At: at(path), Size: int64(size)}
			if edit != nil {
				edit(&r)
			}
			return r
		}
		whole := func() io.Reader { return bytes.NewReader(data) }
		for _, c := range []struct {
			name   string
			caller Caller
			r      UploadRequest
			body   io.Reader
			kind   fault.Kind
		}{
			{"nobody", from(1), req("f", nil), whole(), fault.Unauthenticated},
			{"somebody without a grant", bob, req("f", nil), whole(), fault.NotFound},
			{"a reader, whatever is granted", reader, req("f", nil), whole(), fault.Permission},
			{"a token that may only read", d.token(d.ann, policy.Read, false), req("f", nil), whole(), fault.Permission},
			{"no name", d.ann, req("", nil), whole(), fault.Invalid},
			{"a way out", d.ann, req("../f", nil), whole(), fault.Invalid},
			{"too deep", d.ann, req(strings.Repeat("d/", 64)+"f", nil), whole(), fault.Invalid},
			{"a folder's name", d.ann, req("folder", nil), whole(), fault.Exists},
			{"below a file", d.ann, req("there/f", nil), whole(), fault.Exists},
			{"no size", d.ann, req("f", func(r *UploadRequest) { r.Size = -1 }), whole(), fault.Invalid},
			{"a size nobody has", d.ann, req("f", func(r *UploadRequest) { r.Size = 1 << 60 }), whole(), fault.Invalid},
			{"a body that breaks off", d.ann, req("f", nil), broken(data[:size/2]), fault.Closed},
			{"a longer body", d.ann, req("f", nil), io.MultiReader(whole(), strings.NewReader("x")), fault.Invalid},
			{"another hash", d.ann, req("f", func(r *UploadRequest) { r.SHA256 = content.Hash{1} }), whole(), fault.Corrupt},
			{"a name that is taken", d.ann, req("there", func(r *UploadRequest) { r.IfAbsent = true }), whole(), fault.Precondition},
			{"another version", d.ann, req("there", func(r *UploadRequest) { r.IfMatch = content.Hash{1} }), whole(), fault.Precondition},
			{"a version of what is absent", d.ann, req("f", func(r *UploadRequest) { r.IfMatch = content.Hash{1} }), whole(), fault.Precondition},
		} {
			t.Run(fmt.Sprint(c.name, " ", size), func(t *testing.T) {
				_, _, err := d.Put(d.ctx, c.caller, c.r, c.body)
				want(t, err, c.kind)
				if names := d.names(""); !slices.Equal(names, []string{"folder", "there"}) {
					t.Fatalf("there is now %q", names)
				}
				if used, reserved := d.used(); used != 4 || reserved != 0 {
					t.Fatalf("used %d, reserved %d", used, reserved)
				}
			})
		}
		e, created, err := d.Put(d.ctx, d.ann, req("there", func(r *UploadRequest) { r.IfMatch = old.Node.Version.Sum.SHA256 }), whole())
		ok(t, err)
		if created || e.Node.ID != old.Node.ID {
			t.Fatal("a new file instead of a version")
		}
		v, err := d.Versions(d.ctx, d.ann, at("there"))
		ok(t, err)
		_, err = d.RestoreVersion(d.ctx, d.ann, at("there"), v[len(v)-1].ID)
		ok(t, err)
		ok(t, d.forget("there"))
		old = d.put("there", "old")
	}
}

// N15: uploads side by side cannot pass a quota.
func TestParallelUploadsCannotPassAQuota(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		put  func(*desk, string, []byte) error
	}{
		{"small puts", 1000, func(d *desk, path string, data []byte) error {
			_, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at(path), Size: int64(len(data))}, bytes.NewReader(data))
			return err
		}},
		{"batches", 1000, func(d *desk, path string, data []byte) error {
			r, err := d.PutBatch(d.ctx, d.ann, at(""), []BatchFile{{Path: path, Content: data}})
			if err != nil {
				return err
			}
			return r[0].Err
		}},
		{"uploads", 70_000, func(d *desk, path string, data []byte) error {
			u, err := d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at(path), Size: int64(len(data))})
			if err == nil {
				_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
			}
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			quota := int64(10*c.size + c.size/2)
			_, err := d.UpdateUser(d.ctx, d.root, "ann", UserChange{Quota: &quota})
			ok(t, err)
			var mu sync.Mutex
			stored := 0
			each(64, 64, func(i int) {
				err := c.put(d, fmt.Sprint("f", i), noise(byte(i), c.size))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					stored++
				case !errors.Is(err, fault.Quota):
					t.Errorf("upload %d: %v", i, err)
				}
			})
			used, reserved := d.used()
			if stored != 10 || len(d.names("")) != 10 || used != int64(10*c.size) || reserved != 0 {
				t.Fatalf("%d stored, %d to be seen, %d bytes used, %d reserved", stored, len(d.names("")), used, reserved)
			}
		})
	}
}

func TestPutBatchLetsEachFileStandAlone(t *testing.T) {
	d := newDesk(t)
	d.put("in/folder/x", "x")
	d.put("in/file", "old")
	list := []BatchFile{
		{Path: "a", Content: []byte("one")},
		{Path: "deep/er/b", Content: []byte("one")}, // the same content
		{Path: "../out", Content: []byte("two")},
		{Path: "folder", Content: []byte("three")},
		{Path: "file/c", Content: []byte("four")},
		{Path: "wrong", Content: []byte("five"), SHA256: content.Hash{1}},
		{Path: "", Content: []byte("six")},
		{Path: "big", Content: make([]byte, MaxBatchFile+1)},
		{Path: "empty"},
		{Path: "file", Content: []byte("new"), Modified: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	kinds := []fault.Kind{0, 0, fault.Invalid, fault.Exists, fault.Exists, fault.Corrupt, fault.Invalid, fault.Invalid, 0, 0}
	got, err := d.PutBatch(d.ctx, d.ann, at("in"), list)
	ok(t, err)
	for i, r := range got {
		if r.Path != list[i].Path || kinds[i] == 0 && r.Err != nil || kinds[i] != 0 && !errors.Is(r.Err, kinds[i]) {
			t.Errorf("%q: got %v, want %v", r.Path, r.Err, kinds[i])
		}
	}
	for path, text := range map[string]string{"in/a": "one", "in/deep/er/b": "one", "in/empty": "", "in/file": "new"} {
		if got, err := d.read(d.ann, at(path)); err != nil || got != text {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	if names := d.names("in"); !slices.Equal(names, []string{"a", "deep", "empty", "file", "folder"}) {
		t.Errorf("there is %q", names)
	}
	if e := got[9].Entry; e.Path != "in/file" || e.By != "ann" || e.Node.Version.Modified.Year() != 2020 {
		t.Errorf("got %+v", e)
	}
	if _, err := d.PutBatch(d.ctx, d.ann, at(""), make([]BatchFile, MaxBatchFiles+1)); !errors.Is(err, fault.Invalid) {
		t.Errorf("too many: %v", err)
	}
	if _, err := d.PutBatch(d.ctx, from(1), at(""), list); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("nobody: %v", err)
	}
}

func TestABatchTakesWhatTheQuotaAllows(t *testing.T) {
	d := newDesk(t)
	quota := int64(250)
	_, err := d.UpdateUser(d.ctx, d.root, "ann", UserChange{Quota: &quota})
	ok(t, err)
	var list []BatchFile
	for i := range 4 {
		list = append(list, BatchFile{Path: fmt.Sprint("f", i), Content: noise(byte(i), 100)})
	}
	got, err := d.PutBatch(d.ctx, d.ann, at(""), list)
	ok(t, err)
	for i, r := range got {
		if stored := r.Err == nil; stored != (i < 2) || !stored && !errors.Is(r.Err, fault.Quota) {
			t.Errorf("file %d: %v", i, r.Err)
		}
	}
	if used, reserved := d.used(); used != 200 || reserved != 0 {
		t.Fatalf("used %d, reserved %d", used, reserved)
	}
}

// The conditions hold at the end, not only at the begin.
func TestConditionsAreAskedForAtTheEnd(t *testing.T) {
	d := newDesk(t)
	data := noise(3, 2<<20)
	u, err := d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at("f"), Size: int64(len(data)), IfAbsent: true})
	ok(t, err)
	d.put("f", "first")
	_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, 0, bytes.NewReader(data))
	want(t, err, fault.Precondition)

	first := sha256.Sum256([]byte("first"))
	if u, err = d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at("f"), Size: int64(len(data)), IfMatch: first}); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, 0, broken(data[:2000]))
	want(t, err, fault.Closed)
	d.put("f", "second")
	_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, 2000, bytes.NewReader(data[2000:]))
	want(t, err, fault.Precondition)
	if got, err := d.read(d.ann, at("f")); err != nil || got != "second" {
		t.Fatalf("got %q, %v", got, err)
	}
	if used, reserved := d.used(); used != 11 || reserved != 0 {
		t.Fatalf("used %d, reserved %d", used, reserved)
	}
}

// Rights that end while bytes arrive end the upload at its end.
func TestRightsAreAskedForAtTheEnd(t *testing.T) {
	d := newDesk(t)
	bob := d.hire("bob", policy.Publisher)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Publish}))
	data := noise(4, 2<<20)
	body, feed := io.Pipe()
	done := make(chan error)
	go func() {
		_, _, err := d.Put(d.ctx, bob, UploadRequest{At: at("f"), Size: int64(len(data))}, body)
		done <- err
	}()
	_, err := feed.Write(data[:1<<20])
	ok(t, err)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob"}))
	_, err = feed.Write(data[1<<20:])
	ok(t, err)
	ok(t, feed.Close())
	want(t, <-done, fault.NotFound)
	if names := d.names(""); len(names) != 0 {
		t.Fatalf("there is %q", names)
	}
}

package origin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

const day = 24 * time.Hour

// kept lists the content of the store, by its text.
func (d *desk) kept() map[string]bool {
	d.t.Helper()
	all := make(map[string]bool)
	for info, err := range d.blobs.List(d.ctx) {
		if err != nil {
			d.t.Fatal(err)
		}
		r, _, err := d.blobs.Open(d.ctx, info.Root)
		if err != nil {
			d.t.Fatal(err)
		}
		b := make([]byte, info.Size)
		if _, err := r.Read(b); err != nil {
			d.t.Fatal(err)
		}
		all[string(b)] = true
	}
	return all
}

func (d *desk) sweep() Swept {
	d.t.Helper()
	w, err := d.Sweep(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

func (d *desk) update(f func(tx *catalog.Tx) error) {
	d.t.Helper()
	if err := d.cat.Update(d.ctx, f); err != nil {
		d.t.Fatal(err)
	}
}

// stray puts text into the store without the catalog's knowledge.
func (d *desk) stray(text string) content.FileSum {
	d.t.Helper()
	sum := sumOf([]byte(text))
	if err := d.Server.commit(d.ctx, sum, []byte(text)); err != nil {
		d.t.Fatal(err)
	}
	return sum
}

func TestSweepTakesWhatHasHadItsTime(t *testing.T) {
	d := newDesk(t)
	d.put("kept", "same for ever")
	d.put("changed", "the first")
	d.put("changed", "the second")
	d.put("gone", "in the trash")
	d.put("folder/deep/file", "in a folder in the trash")
	for _, path := range []string{"gone", "folder"} {
		if _, err := d.Trash(d.ctx, d.ann, at(path)); err != nil {
			t.Fatal(err)
		}
	}
	d.pass(29 * day)
	if w := d.sweep(); w != (Swept{}) {
		t.Errorf("after 29 days: %+v", w)
	}
	d.pass(2 * day)
	if w, want := d.sweep(), (Swept{
		Trash: 2, Versions: 1, Blobs: 3,
		Bytes: int64(len("the first" + "in the trash" + "in a folder in the trash")),
	}); w != want {
		t.Errorf("after 31 days: %+v, want %+v", w, want)
	}
	if got := d.kept(); len(got) != 2 || !got["same for ever"] || !got["the second"] {
		t.Errorf("the store has %v", got)
	}
	d.ann = d.login("ann") // the session was too old
	if used, _ := d.used(); used != int64(len("same for ever"+"the second")) {
		t.Errorf("%d bytes are used", used)
	}
	if w := d.sweep(); w != (Swept{}) {
		t.Errorf("and again: %+v", w)
	}
}

func TestSweepGivesUpUploads(t *testing.T) {
	d := newDesk(t)
	begin := func(path string) catalog.Upload {
		u, err := d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at(path), Size: 100})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	half := begin("half")
	if _, _, err := d.WriteUpload(d.ctx, d.ann, half.ID, 0, strings.NewReader("fifty bytes, or less")); err != nil {
		t.Fatal(err)
	}
	begin("nothing yet")
	d.pass(6 * day)
	young := begin("young")
	d.pass(2 * day)
	if w := d.sweep(); w != (Swept{Uploads: 2}) {
		t.Errorf("%+v", w)
	}
	if _, reserved := d.used(); reserved != 100 {
		t.Errorf("%d bytes are set aside, not those of the young upload", reserved)
	}
	for info := range d.blobs.Stages(d.ctx) {
		t.Errorf("stage %+v is left", info)
	}
	if _, err := d.Upload(d.ctx, d.ann, half.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("an upload that was given up: %v", err)
	}
	if _, err := d.Upload(d.ctx, d.ann, young.ID); err != nil {
		t.Errorf("an upload that was not: %v", err)
	}
}

func TestSweepDropsStagesThatNobodyGoesOnWith(t *testing.T) {
	d := newDesk(t)
	stage := func(id string) {
		w, err := d.blobs.Stage(d.ctx, id, 0, 4)
		if err == nil {
			_, err = w.Write([]byte("text"))
		}
		if err == nil {
			_, err = w.Close(d.ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	u, err := d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at("x"), Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	stage("old")
	stage(u.ID)
	d.pass(25 * time.Hour)
	stage("young")
	if w := d.sweep(); w != (Swept{Stages: 1}) {
		t.Errorf("%+v", w)
	}
	for info := range d.blobs.Stages(d.ctx) {
		if info.ID == "old" {
			t.Error("the old stage is left")
		}
	}
}

func TestSweepLeavesContentToBackupsAndOtherSweeps(t *testing.T) {
	d := newDesk(t)
	d.put("kept", "kept")
	d.stray("stray")
	d.pass(2 * day)

	b := &hold{cat: d.cat, now: d.clock}
	ok(t, b.keep(d.ctx))
	if w := d.sweep(); w.Blobs != 0 {
		t.Errorf("during a backup: %+v", w)
	}
	d.pass(leaseFor / 2)
	ok(t, b.keep(d.ctx))
	d.pass(leaseFor * 3 / 4)
	if w := d.sweep(); w.Blobs != 0 {
		t.Errorf("during a backup that goes on: %+v", w)
	}
	ok(t, b.end(d.ctx))

	d.update(func(tx *catalog.Tx) error {
		return tx.Settings.Set(sweepLease, fmt.Sprintf("another %d", d.clock().Add(time.Minute).UnixMicro()))
	})
	if w := d.sweep(); w.Blobs != 0 {
		t.Errorf("during another sweep: %+v", w)
	}
	d.pass(2 * time.Minute)
	if w := d.sweep(); w.Blobs != 1 {
		t.Errorf("after another sweep has died: %+v", w)
	}
	if got := d.kept(); len(got) != 1 || !got["kept"] {
		t.Errorf("the store has %v", got)
	}
}

func TestABackupThatDiesHoldsContentNoLonger(t *testing.T) {
	d := newDesk(t)
	d.stray("stray")
	d.pass(2 * day)
	ok(t, (&hold{cat: d.cat, now: d.clock}).keep(d.ctx))
	d.pass(leaseFor + time.Second)
	if w := d.sweep(); w.Blobs != 1 {
		t.Errorf("%+v", w)
	}
}

func TestSweepFinishesWhatACrashHasLeft(t *testing.T) {
	d := newDesk(t)
	sum := d.stray("half removed")
	d.update(func(tx *catalog.Tx) error {
		if _, err := tx.Contents.Claim(sum, d.clock()); err != nil {
			return err
		}
		return tx.Contents.SetRemoving(sum.Root)
	})
	if w := d.sweep(); w.Blobs != 1 || w.Bytes != sum.Size {
		t.Errorf("%+v", w)
	}
	d.put("again", "half removed")
	if got, err := d.read(d.ann, at("again")); err != nil || got != "half removed" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSweepLooksForStraysOnceADay(t *testing.T) {
	d := newDesk(t)
	d.put("kept", "kept")
	d.stray("the first")
	d.pass(25 * time.Hour)
	d.stray("young")
	if w := d.sweep(); w.Blobs != 1 {
		t.Errorf("the first day: %+v", w)
	}
	d.pass(23*time.Hour + 59*time.Minute)
	d.stray("younger")
	if w := d.sweep(); w.Blobs != 0 {
		t.Errorf("within a day: %+v", w)
	}
	d.pass(time.Hour)
	if w := d.sweep(); w.Blobs != 1 {
		t.Errorf("the next day: %+v", w)
	}
	if got := d.kept(); len(got) != 2 || !got["kept"] || !got["younger"] {
		t.Errorf("the store has %v", got)
	}
}

// Content comes and goes while it is swept: what a transaction has made a version of is
// in the store.
func TestSweepNeverTakesWhatIsInUse(t *testing.T) {
	d := newDesk(t)
	var root catalog.Collection
	d.update(func(tx *catalog.Tx) (err error) {
		root, err = tx.Collections.CollectionByName("c")
		return err
	})
	ctx, cancel := context.WithCancel(d.ctx)
	var sweeper, users sync.WaitGroup
	sweeper.Go(func() {
		for ctx.Err() == nil {
			d.pass(unusedFor + time.Minute)
			if _, err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for user := range 3 {
		users.Go(func() {
			for i := range 25 {
				text := []byte(fmt.Sprint("content ", i%3))
				if err := d.comeAndGo(root, fmt.Sprint("file", user), text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	cancel()
	sweeper.Wait()
}

// comeAndGo stores a file, looks whether its content is there, and purges it. That the
// content was swept before it had a version is no error.
func (d *desk) comeAndGo(c catalog.Collection, name string, text []byte) error {
	sum := sumOf(text)
	brought, err := d.storeSmall(d.ctx, sum, text)
	if errors.Is(err, fault.Busy) {
		return nil
	}
	if err != nil {
		return err
	}
	var n catalog.Node
	err = d.Server.update(d.ctx, func(tx *catalog.Tx) error {
		if brought {
			if err := tx.Contents.SetReady(sum.Root, d.now()); err != nil {
				return err
			}
		}
		n, err = tx.Tree.PutFile(c.Root, name, catalog.Version{Sum: sum, By: d.ann.User.ID, Created: d.now()})
		return err
	})
	if errors.Is(err, fault.Busy) || errors.Is(err, fault.NotFound) || errors.Is(err, fault.Corrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := d.blobs.Stat(d.ctx, sum.Root); err != nil {
		return fmt.Errorf("content of a file: %w", err)
	}
	return d.Server.update(d.ctx, func(tx *catalog.Tx) error {
		if err := tx.Tree.Trash(n.ID, d.ann.User.ID, d.now()); err != nil {
			return err
		}
		_, err := tx.Tree.Purge(n.ID, 10)
		return err
	})
}

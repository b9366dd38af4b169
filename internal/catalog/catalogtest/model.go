package catalogtest

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Model runs random histories of everything that collections, names, contents,
// uploads, quotas and links offer, and compares every answer and every kind of
// error with what plain maps (memory) say. Some Updates are taken back, and
// what a role refuses in an Update that goes on must leave nothing behind.
// After each history Check finds nothing, and the catalog can be emptied.
//
// A failure prints the history, shrunk, and a seed for -rapid.seed.
func Model(t *testing.T, open Open) {
	run := &modelRun{dirty: true}
	began, failed := time.Now(), false
	rapid.Check(t, func(rt *rapid.T) {
		if !failed && enough(began) {
			return
		}
		before := failed
		failed = true // if it does not come to its end
		if run.dirty {
			run.catalog, run.given = open(t), make(map[string]bool)
		}
		run.dirty = true
		run.history(rt)
		run.empty(rt)
		run.dirty, failed = false, before
	})
}

// enough says whether histories that nobody asked for by a flag of rapid have
// had their time: with the race detector they take ten times as long.
func enough(began time.Time) bool {
	const most = 4 * time.Second
	plain := flag.Lookup("rapid.seed").Value.String() == "0" && flag.Lookup("rapid.checks").Value.String() == "100"
	return plain && time.Since(began) > most
}

// modelRun is one catalog that histories use in turn.
type modelRun struct {
	catalog catalog.Catalog
	given   map[string]bool // numbers that were given, "node 17"
	dirty   bool            // there is none yet, or a history failed and left something behind
	users   int             // made so far: their names
}

// history is one of the random histories.
type history struct {
	*rapid.T
	run    *modelRun
	tx     *catalog.Tx
	m      *memory
	now    time.Time
	serial int             // for names that are used once
	given  map[string]bool // numbers given in this Update
}

var errTakenBack = errors.New("this Update is taken back")

func (run *modelRun) history(t *rapid.T) {
	h := &history{T: t, run: run, m: newMemory(), now: day()}
	h.update(func() { h.people() })
	for range 1 + h.pick("steps", 14) {
		switch h.pick("step", 6) {
		case 0:
			h.takenBack(func() { h.some(4) })
		case 1:
			h.view(func() {
				for range 1 + h.pick("reads", 8) {
					h.read()
				}
			})
		default:
			h.update(func() { h.some(12) })
		}
	}
	h.compareAll()
	found, err := run.catalog.Check(context.Background())
	if err != nil || len(found) > 0 {
		t.Fatalf("check: %v, %q", err, found)
	}
}

// people makes the accounts of a history.
func (h *history) people() {
	for i, quota := range []int64{0, 60, 100} {
		h.run.users++
		u := catalog.User{Name: "user" + number(h.run.users), Role: policy.Publisher, Quota: quota, Created: h.now}
		id, err := h.tx.Accounts.CreateUser(u)
		if err != nil {
			h.Fatalf("user %d: %v", i, err)
		}
		u.ID = id
		h.m.users[id] = &u
	}
	for range 2 {
		h.run.users++
		id, err := h.tx.Accounts.CreateGroup("group"+number(h.run.users), h.now)
		if err != nil {
			h.Fatal(err)
		}
		h.m.members[id] = make(map[catalog.UserID]bool)
	}
	for range 2 {
		h.createCollection()
	}
}

// some does a few random things, and looks at the outcome of some.
func (h *history) some(most int) {
	// Whole hours, like everything that lasts: what ends, ends now and then at this very moment.
	h.now = h.now.Add(time.Duration(h.pick("hours", 6)-1) * time.Hour)
	for range 1 + h.pick("operations", most) {
		h.operation()
		if rapid.Bool().Draw(h.T, "look") {
			h.read()
		}
	}
}

func (h *history) update(f func()) {
	h.given = make(map[string]bool)
	err := h.run.catalog.Update(context.Background(), func(tx *catalog.Tx) error {
		h.tx = tx
		f()
		return nil
	})
	if err != nil {
		h.Fatalf("update: %v", err)
	}
	maps.Copy(h.run.given, h.given)
}

func (h *history) takenBack(f func()) {
	h.given = make(map[string]bool)
	before := h.m.clone()
	err := h.run.catalog.Update(context.Background(), func(tx *catalog.Tx) error {
		h.tx = tx
		f()
		return errTakenBack
	})
	if !errors.Is(err, errTakenBack) {
		h.Fatalf("update that returned an error: %v", err)
	}
	h.m = before
}

func (h *history) view(f func()) {
	err := h.run.catalog.View(context.Background(), func(tx *catalog.Tx) error {
		h.tx = tx
		f()
		return nil
	})
	if err != nil {
		h.Fatalf("view: %v", err)
	}
}

// fresh checks that a number was never given before.
func (h *history) fresh(kind string, id int64) {
	key := kind + " " + number(int(id))
	if id <= 0 || h.given[key] || h.run.given[key] {
		h.Fatalf("%s was given before, or is no number", key)
	}
	h.given[key] = true
}

// agree compares what the catalog answered with what memory says.
func agree[T any](h *history, what string, got T, err error, want T, wantErr error) {
	h.Helper()
	if (err == nil) != (wantErr == nil) || err != nil && fault.KindOf(err) != fault.KindOf(wantErr) {
		h.Fatalf("%s: error %v (%v), want %v", what, err, fault.KindOf(err), wantErr)
	}
	if err != nil {
		return
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		h.Fatalf("%s: (-want +got)\n%s", what, diff)
	}
}

// failed compares the errors of what answers nothing else.
func (h *history) failed(what string, err, want error) error {
	h.Helper()
	agree(h, what, struct{}{}, err, struct{}{}, want)
	return err
}

// draw picks one of the keys of a map, and sometimes a number that is not there.
func draw[K cmp.Ordered, V any](h *history, label string, m map[K]V, absent K) K {
	keys := slices.Sorted(maps.Keys(m))
	if len(keys) == 0 || h.rarely(label+" absent", 20) {
		return absent
	}
	return keys[h.pick(label, len(keys))]
}

// pick draws a number below n, each as likely as the others; rapid's own
// ranges prefer small ones, so that histories would be short and alike.
func (h *history) pick(label string, n int) int {
	const bits = 10
	return rapid.Map(rapid.SliceOfN(rapid.Bool(), bits, bits), func(set []bool) int {
		v := 0
		for _, bit := range set {
			v <<= 1
			if bit {
				v |= 1
			}
		}
		return v % n
	}).Draw(h.T, label)
}

// rarely is true once in n times.
func (h *history) rarely(label string, n int) bool { return h.pick(label, n) == n-1 }

func oneOf[T any](h *history, label string, of []T) T { return of[h.pick(label, len(of))] }

const noID = 1 << 40

func (h *history) user() catalog.UserID { return draw(h, "user", h.m.users, noID) }

func (h *history) collection() catalog.CollectionID {
	return draw(h, "collection", h.m.collections, noID)
}

func (h *history) node() catalog.NodeID { return draw(h, "node", h.m.nodes, noID) }

// nodeThat picks one of the nodes that ok is true of, and sometimes any node.
func (h *history) nodeThat(ok func(*catalog.Node) bool) catalog.NodeID {
	some := make(map[catalog.NodeID]bool)
	for id, n := range h.m.nodes {
		if ok(n) {
			some[id] = true
		}
	}
	if len(some) == 0 || h.rarely("any node", 20) {
		return h.node()
	}
	return draw(h, "node", some, 0)
}

func (h *history) folder() catalog.NodeID {
	dead := h.rarely("dead folder", 12)
	return h.nodeThat(func(n *catalog.Node) bool { return n.Folder && (dead || h.m.live(n.ID)) })
}

func (h *history) belowRoot() catalog.NodeID {
	dead := h.rarely("dead", 12)
	return h.nodeThat(func(n *catalog.Node) bool { return n.Parent != 0 && (dead || h.m.live(n.ID)) })
}

func (h *history) inTrash() catalog.NodeID { return h.nodeThat(inTrash) }

func (h *history) name() string {
	names := []string{
		"a", "a", "a", "a", "b", "b", "b", "B", "ä", "Ä", "a_b", "100%", `back\slash`, "Straße", "c", "d",
	}
	if h.rarely("no name", 30) {
		names = []string{"a/b", ""}
	}
	return names[h.pick("name", len(names))]
}

// sum picks the sum of one of a few contents; the last is empty.
func (h *history) sum() content.FileSum {
	n := h.pick("content", 6)
	sum := content.FileSum{SHA256: content.Hash{0xff, byte(n)}, Size: int64(10 * n)}
	if n > 0 {
		sum.Root = content.Hash{byte(n), 1}
	}
	if h.rarely("wrong sum", 50) {
		sum.Size++
	}
	return sum
}

func (h *history) hours(label string) time.Duration {
	return time.Duration(h.pick(label, 12)) * time.Hour
}

// empty removes everything that a history can have left, by what the catalog
// itself lists.
func (run *modelRun) empty(t *rapid.T) {
	far := day().AddDate(100, 0, 0)
	err := run.catalog.Update(context.Background(), func(tx *catalog.Tx) error {
		all, err := tx.Collections.Collections("", 1000)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := emptyCollection(tx, c); err != nil {
				return err
			}
		}
		uploads, err := tx.Uploads.ExpiredUploads(far, 1000)
		for _, u := range uploads {
			if u.Node == 0 {
				err = errors.Join(err, tx.Quotas.Release(u.User, u.Collection, u.Size))
			}
			err = errors.Join(err, tx.Uploads.DeleteUpload(u.ID))
		}
		unused, more := tx.Contents.Unused(far, 1000)
		err = errors.Join(err, more)
		for _, c := range unused {
			err = errors.Join(err, tx.Contents.SetRemoving(c.Sum.Root), tx.Contents.Drop(c.Sum.Root))
		}
		left, more := tx.Contents.ToCheck(far, 1)
		if len(left) > 0 {
			more = errors.Join(more, errors.New("content is in use in an empty catalog"))
		}
		return errors.Join(err, more)
	})
	if err != nil {
		t.Fatalf("empty the catalog: %v", err)
	}
	if found, err := run.catalog.Check(context.Background()); err != nil || len(found) > 0 {
		t.Fatalf("check of an empty catalog: %v, %q", err, found)
	}
}

func emptyCollection(tx *catalog.Tx, c catalog.Collection) error {
	inside, err := tx.Tree.Children(c.Root, "", 1000)
	for _, n := range inside {
		err = errors.Join(err, tx.Tree.Trash(n.ID, c.Owner, day()))
	}
	trashed, more := tx.Tree.Trashed(c.ID, 0, 1000)
	err = errors.Join(err, more)
	for _, n := range trashed {
		if _, gone := tx.Tree.Node(n.ID); gone != nil {
			continue // with a folder above it
		}
		done := false
		for steps := 0; err == nil && !done; steps++ {
			if done, err = tx.Tree.Purge(n.ID, 2); steps > 1000 {
				return errors.New("purge does not end")
			}
		}
	}
	return errors.Join(err, tx.Collections.DeleteCollection(c.ID))
}

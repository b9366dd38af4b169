//go:build unix

package disk

import (
	"io/fs"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKey = content.SHA1{0xab, 0xcd}

// place lets processes come and go over one tree; open gives each its view.
func place(m *content.Manifest, open func() tree, crash func()) *storetest.Place {
	sw := &switches{}
	var proc *flaky
	names := finalNames(m, false)
	return &storetest.Place{
		Open: func() (store.Pieces, error) {
			proc = &flaky{tree: open(), switches: sw}
			ws, err := openWorkspace(proc, "/dest", workspaceName(testKey))
			if err != nil {
				return nil, err
			}
			p, err := ws.Pieces(m, nil)
			if err != nil {
				ws.Close()
				return nil, err
			}
			return p, nil
		},
		Crash: func(p store.Pieces, power bool) {
			proc.kill()
			if p != nil {
				p.Close()
			}
			proc.tree.Close()
			if power {
				crash()
			}
		},
		Final: func(i int) ([]byte, bool) {
			t := open()
			defer t.Close()
			if m.Files[i].Pad {
				return nil, false
			}
			b, err := readFile(t, names[i], 1<<30)
			return b, err == nil
		},
		Fail: func(n int, kind fault.Kind) {
			sw.mu.Lock()
			defer sw.mu.Unlock()
			sw.left, sw.kind = n, kind
		},
		Failed: func() bool {
			sw.mu.Lock()
			defer sw.mu.Unlock()
			return sw.failed
		},
	}
}

func TestContractInSimulation(t *testing.T) {
	seed := uint64(0)
	storetest.Run(t, func(t testing.TB, m *content.Manifest) *storetest.Place {
		seed++
		t.Logf("seed %d", seed)
		sim := newSim(seed)
		sim.links = m.HasV2 // both kinds of file systems
		return place(m, func() tree { return sim }, sim.crash)
	})
}

// The power cannot be taken from a real device: its cache survives, synced or
// not, so the suite saves itself the wait.
func TestContractOnDisk(t *testing.T) {
	storetest.Run(t, func(t testing.TB, m *content.Manifest) *storetest.Place {
		dir := t.TempDir()
		open := func() tree {
			tr, err := openTree(dir)
			if err != nil {
				t.Fatal(err)
			}
			return hasty{tr}
		}
		pl := place(m, open, func() {})
		pl.Fail = nil // the simulation is put through them
		return pl
	})
}

// hasty is a tree that does not sync.
type hasty struct{ tree }

type hastyFile struct{ file }

func (hasty) SyncDir(string) error { return nil }
func (hastyFile) Sync() error      { return nil }

func (h hasty) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	f, err := h.tree.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return hastyFile{f}, nil
}

//go:build unix

package disk

import (
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/fault"
)

func TestCommittedIsDurableAfterASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(1)
		m, data := testContent(false, 40_000)
		open := func() *Pieces {
			ws, err := openWorkspace(&flaky{tree: sim, switches: &switches{}}, "/d", ".tandem-1")
			if err != nil {
				t.Fatal(err)
			}
			p, err := ws.Pieces(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			return p.(*Pieces)
		}
		p := open()
		fetchPieces(t, p, m, data, 0)
		<-time.After(syncEvery + time.Millisecond)
		synctest.Wait()
		fetchPieces(t, p, m, data, 1)
		p.t.(*flaky).kill()
		p.Close()
		sim.crash()
		p = open()
		if !p.Have().Has(0) || p.Have().Has(1) {
			t.Errorf("verified after the crash: %08b, want the first", p.Have().Bytes())
		}
		p.Close()
	})
}

// slowTree syncs files only when told to.
type slowTree struct {
	tree
	started, goOn chan struct{}
}

type slowFile struct {
	file
	t *slowTree
}

func (s *slowTree) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	f, err := s.tree.OpenFile(name, flag, perm)
	if err == nil && strings.Contains(name, dataName+"/") {
		f = &slowFile{f, s}
	}
	return f, err
}

func (f *slowFile) Sync() error {
	f.t.started <- struct{}{}
	<-f.t.goOn
	return f.file.Sync()
}

func TestWritingGoesOnWhileSyncing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowTree{newSim(1), make(chan struct{}), make(chan struct{})}
		m, data := testContent(false, 12*testPiece)
		ws, err := openWorkspace(slow, "/d", ".tandem-1")
		if err != nil {
			t.Fatal(err)
		}
		sp, err := ws.Pieces(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := sp.(*Pieces)
		p.syncBytes = 4 * testPiece
		start := time.Now()
		fetchPieces(t, p, m, data, 0, 1, 2, 3)
		<-slow.started // at once, not after a second
		if time.Since(start) != 0 {
			t.Errorf("the sync began after %v", time.Since(start))
		}
		fetchPieces(t, p, m, data, 4, 5, 6) // nothing waits
		done := make(chan struct{})
		go func() {
			fetchPieces(t, p, m, data, 7) // too much is not durable: this waits
			close(done)
		}()
		for pending := int64(0); pending < 8*testPiece; runtime.Gosched() {
			p.mu.Lock()
			pending = p.pending
			p.mu.Unlock()
		}
		slow.goOn <- struct{}{}
		<-slow.started
		select {
		case <-done:
			t.Error("twice the limit is not durable and nothing waits")
		default:
		}
		slow.goOn <- struct{}{}
		<-done
		if err := p.Sync(); err != nil || p.pm.verified.Count() != 8 {
			t.Errorf("%d pieces are durable, want 8; %v", p.pm.verified.Count(), err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A sync that fails has lost what it should have kept, and says so.
func TestFailedSyncTakesBackWhatItLost(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Full, fault.Other} {
		t.Run(kind.String(), func(t *testing.T) {
			m, data := testContent(false, 40_000, 100)
			sw := &switches{kind: kind}
			ws, err := openWorkspace(&flaky{tree: newSim(1), switches: sw}, "/d", ".tandem-1")
			if err != nil {
				t.Fatal(err)
			}
			p, err := ws.Pieces(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			fetchPieces(t, p, m, data, 0)
			if err := p.Sync(); err != nil {
				t.Fatal(err)
			}
			fetchPieces(t, p, m, data, 1)
			if err := p.WriteAt(pieceOf(m, data, 2), 2, 0); err != nil {
				t.Fatal(err)
			}
			sw.left = 1
			wantKind(t, "sync", p.Sync(), kind, "/d/name/a")
			if h := p.Have(); !h.Has(0) || h.Has(1) {
				t.Errorf("verified: %08b, want the first", h.Bytes())
			}
			wantKind(t, "commit of what was half written", p.Commit(2), kind)
			if kind == fault.Full { // goes on when there is room
				fetchPieces(t, p, m, data, 1, 2, 3)
				if err := p.Finish(); err != nil {
					t.Fatal(err)
				}
				return
			}
			wantKind(t, "write", p.WriteAt(pieceOf(m, data, 1), 1, 0), kind, "check the device")
			fetchPieces(t, p, m, data, 3) // the other file is well
		})
	}
}

package transfer

import (
	"errors"
	"testing"
	"time"

	"tandem/internal/fault"
)

func TestWhatAFailedSyncTookBackIsFetchedAgain(t *testing.T) {
	files := testFiles(1 << 20)
	for _, f := range forms {
		for _, op := range []string{"Commit", "Sync", "Finish"} {
			t.Run(f.name+" "+op, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					tor := makeTorrent(t, f, 32<<10, files, false)
					full := fullMemory(tor.Manifest, files)
					seed := w.start(tor, full, nil)
					s := newMemory(tor.Manifest)
					calls, taken := 0, 0
					s.hook = func(o string, _ int) error {
						if o != op {
							return nil
						}
						if calls++; taken > 0 || op == "Commit" && calls < 10 {
							return nil
						}
						for i := s.have.Next(0); i >= 0 && taken < 5; i = s.have.Next(i + 1) {
							s.have.Clear(i)
							clear(s.data[i])
							taken++
						}
						return errors.New("sync: input/output error")
					}
					got := w.start(tor, s, nil)
					got.AddPeers("link", seed.at())
					got.finishes(time.Minute)
					if !s.holds(full) || !s.finished {
						t.Error("the copy differs, or is not finished")
					}
					if n := got.Status().FromPeers; n != (32+5)*32<<10 || taken != 5 {
						t.Errorf("%d bytes fetched, %d pieces taken back, want 5 pieces more than there are", n, taken)
					}
				})
			})
		}
	}
}

func TestADeviceThatKeepsFailingEndsTheTransfer(t *testing.T) {
	files := testFiles(1 << 20)
	for _, op := range []string{"Commit", "Sync", "Finish"} {
		bubble(t, func(t *testing.T, w *world) {
			tor := makeTorrent(t, forms[0], 32<<10, files, false)
			seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
			s := newMemory(tor.Manifest)
			broken := errors.New("input/output error")
			s.hook = func(o string, _ int) error {
				if o == op {
					return broken
				}
				return nil
			}
			got := w.start(tor, s, nil)
			got.AddPeers("link", seed.at())
			got.fails(time.Minute)
			if !errors.Is(got.err, broken) || fault.KindOf(got.err) != fault.Other {
				t.Errorf("%s: ended with %v", op, got.err)
			}
		})
	}
}

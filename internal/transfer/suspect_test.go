package transfer

import (
	"testing"
	"time"

	"tandem/internal/content"
)

func TestWhatIsMissingIsFetchedWhileSuspectPiecesAreHashed(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		seed := w.start(tor, full, nil)
		s := newMemory(tor.Manifest)
		for i := range 30 {
			s.suspect.Set(i)
		}
		s.fill(files, s.suspect.Clone())
		s.have = content.NewBitfield(32)
		s.data[3] = make([]byte, 32<<10)
		release := make(chan struct{})
		checked := 0
		s.hook = func(op string, piece int) error {
			if op == "ReadAt" && s.suspect.Has(piece) && !s.have.Has(piece) {
				if checked++; checked == 5 { // the others go on once what is missing came
					s.mu.Unlock()
					<-release
					s.mu.Lock()
				}
			}
			if op == "WriteAt" && s.suspect.Has(piece) && piece != 3 {
				t.Errorf("suspect piece %d is fetched", piece)
			}
			return nil
		}
		got := w.start(tor, s, nil)
		third := w.start(tor, nil, nil)
		got.AddPeers("link", seed.at())
		third.AddPeers("link", got.at())
		w.until(10*time.Second, "we fetched, and a peer from us", func() bool {
			return got.Status().FromPeers >= 2*32<<10 && third.Status().Swarm.Have > 0
		})
		if st := got.Status(); st.Swarm.Have == 32 || st.State != Downloading {
			t.Errorf("%s with %d pieces, want it downloading while a piece is hashed", st.State, st.Swarm.Have)
		}
		close(release)
		got.finishes(20 * time.Second)
		third.finishes(20 * time.Second)
		if !s.holds(full) {
			t.Error("the copy differs")
		}
		if n := got.Status().FromPeers; n != 3*32<<10 {
			t.Errorf("%d bytes fetched, want 3 pieces", n)
		}
	})
}

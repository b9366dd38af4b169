package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// keepers makes f ask its keepers for what ask says, and notes what they offer.
func (f *fakeOrigin) keepers(w http.ResponseWriter, r *http.Request) {
	var k api.Keeper
	if err := json.NewDecoder(r.Body).Decode(&k); err != nil || r.Header.Get("Authorization") == "" {
		problem(w, http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offered = append(f.offered, k)
	k.Keep = f.ask
	_ = json.NewEncoder(w).Encode(k)
}

func TestAnOfferOfRoom(t *testing.T) {
	f := newFakeOrigin(t, peer.Link, 100_000)
	hash := fmt.Sprintf("%x", f.torrent.Manifest.InfoHash2)
	f.ask = []api.Kept{
		{URL: "/s/" + fakeToken, InfoHash: hash, Size: int64(len(f.content))},
		{URL: "/s/" + fakeToken, InfoHash: fmt.Sprintf("%064d", 1), Size: 1 << 40},
		{URL: "/s/" + fakeToken, InfoHash: "../../x", Size: 1},
	}
	n, dir := testNode(t, nil), t.TempDir()
	o := OfferOptions{Server: *f.account(), Space: 1 << 20, Dir: dir}
	it, err := n.Offer(t.Context(), o, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	f.expect("the whole copy is told of", func() bool {
		return f.members[n.ID().String()].Have == int64(len(f.content))
	})
	if s := it.Status(); s.Kind != KindOffer || s.Offer == nil || s.Offer.Kept != 1 || s.Offer.Used != int64(len(f.content)) || s.State != StateOffered {
		t.Errorf("the snapshot is %+v of %+v", s, s.Offer)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "tandem-kept-*", hash[:16]))
	if len(found) != 1 {
		t.Fatalf("it is kept in %q", found)
	}
	f.arrived(found[0])
	t.Run("what is asked for no more goes, and nothing else", func(t *testing.T) {
		other := filepath.Join(filepath.Dir(found[0]), "mine")
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		k := &keeper{n: n, o: o, it: it, dir: filepath.Dir(found[0])}
		if err := k.clear(map[string]bool{hash: true}); err != nil {
			t.Fatal(err)
		}
		f.arrived(found[0])
		if err := k.clear(nil); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(found[0]); !os.IsNotExist(err) {
			t.Errorf("the copy: %v", err)
		}
		if _, err := os.Stat(other); err != nil {
			t.Errorf("what is ours: %v", err)
		}
	})
	it.Stop()
	await(t, "the end", it.Done(), it)
	f.expect("the offer is taken back", func() bool {
		last := f.offered[len(f.offered)-1]
		return last.Space == 0 && f.offered[0].Space == o.Space && last.Node == n.ID().String()
	})
	for name, bad := range map[string]OfferOptions{
		"no room":   {Server: *f.account(), Dir: dir},
		"no login":  {Server: Account{URL: f.account().URL}, Space: 1, Dir: dir},
		"no server": {Space: 1, Dir: dir},
	} {
		t.Run(name, func(t *testing.T) {
			want := fault.Invalid
			if name == "no login" {
				want = fault.Unauthenticated
			}
			if _, err := n.Offer(t.Context(), bad, Watch{}); fault.KindOf(err) != want {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}

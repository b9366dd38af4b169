package node

import (
	"testing"

	"tandem/internal/peer"
	"tandem/internal/transfer"
)

func TestWhatAServerSharesArrives(t *testing.T) {
	for _, audience := range []peer.Audience{peer.Public, peer.Link, peer.Network} {
		for _, via := range []transfer.Via{transfer.ViaServer, transfer.ViaBoth} {
			t.Run(audience.String()+" via "+string(via), func(t *testing.T) {
				f := newFakeOrigin(t, audience, 300_000)
				o := f.options()
				o.Via, o.Dir = via, t.TempDir()
				it := begin(t, testNode(t, nil), o)
				await(t, "completion", it.Completed(), it)
				await(t, "the end", it.Done(), it)
				f.arrived(o.Dir)
				s := it.Status()
				if s.FromServer != int64(len(f.content)) || s.FromPeers != 0 || s.Via != string(via) || s.Server != f.addr {
					t.Errorf("the last snapshot is %+v", s)
				}
				f.expect("it has left, and said what it took", func() bool {
					return len(f.left) == 1 && f.left[0].Served.Server == int64(len(f.content)) && f.left[0].Have == int64(len(f.content))
				})
			})
		}
	}
}

package origin

import (
	"context"

	"tandem/internal/catalog"
)

// Fragment returns what stands behind "#" in the link to hand out: a ticket, a magnet link of a public one, or ""
// where nobody may hold a ticket or the metadata is still being made (Ready tells). base is the URL of the server.
func (v LinkView) Fragment(base string) string { return v.URLPart }

// LinkFragment is LinkView.Fragment of a link that c may manage, and whether it is final.
func (s *Server) LinkFragment(ctx context.Context, c Caller, id catalog.LinkID, base string) (fragment string, ready bool, err error) {
	v, err := s.LinkInfo(ctx, c, id)
	return v.Fragment(base), v.Ready, err
}

// TorrentFile is Torrent with the server at base as tracker and web seed.
func (s *Server) TorrentFile(ctx context.Context, c Caller, base string) (torrent []byte, name string, _ error) {
	return s.Torrent(ctx, c)
}

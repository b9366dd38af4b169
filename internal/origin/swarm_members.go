package origin

import "tandem/internal/content"

type swarmDesk struct{}

// SwarmChanged answers who waits for news of a share. It does not wait, and any hash will do.
func (s *Server) SwarmChanged(share content.Hash) {}

// SwarmMembers returns how many nodes are in the swarm of a share now.
func (s *Server) SwarmMembers(share content.Hash) int { return 0 }

package sim

// mesh is who is connected to whom.
type mesh struct{}

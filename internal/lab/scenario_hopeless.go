package lab

// Hopeless says why a complete scenario cannot finish under a model, "" where nothing
// speaks against it. It only knows what follows from the figures themselves; a run may
// still fail to finish by chance.
func (s *Scenario) Hopeless(m Model) string { return "" }

package pick

// Pull chooses as Picker does, from counts that are taken when a choice is made instead
// of being kept with each announcement: where a million nodes are simulated, nobody can
// tell everybody.
type Pull struct{}

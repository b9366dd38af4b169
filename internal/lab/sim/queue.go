package sim

// queue holds what is to happen, by time.
type queue struct{}

// ring holds pieces that have left their sender, all with the same time to go.
type ring struct{}

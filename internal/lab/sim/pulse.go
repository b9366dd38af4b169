package sim

import "context"

// pulse has a long run look up now and then: whether it is still wanted, and how far it is.
type pulse struct {
	ctx  context.Context
	tell func(done float64, what string) // may be nil
	what string
	n    int
	told float64
}

// Between two looks at the context, and between two words on how far it is.
const (
	everyBeats = 256
	everyShare = 1. / 256
)

// beat is called for each thing that happens, with the share that is done. It returns
// the context's error.
func (p *pulse) beat(done float64) error {
	if p.n++; p.n%everyBeats != 0 {
		return nil
	}
	if p.tell != nil && done >= p.told {
		p.told = done + everyShare
		p.tell(min(done, 1), p.what)
	}
	return p.ctx.Err()
}

package rest

import (
	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// ProblemOf describes err to a client: status, kind, a plain sentence, and
// nothing of what only the log may know.
func ProblemOf(err error) api.Problem {
	return api.Problem{Status: 500, Kind: fault.KindOf(err).String()}
}

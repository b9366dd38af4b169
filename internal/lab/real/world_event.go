package real

import "encoding/json"

// event is a line that a command prints with --json, as far as the lab reads it. The names
// are a contract of the command line.
type event struct {
	Event      string           `json:"event"` // listening, ready, serving, progress, complete, missing, error
	Node       string           `json:"node"`
	Addr       string           `json:"addr"`
	Link       string           `json:"link"`
	URL        string           `json:"url"`
	Bytes      int64            `json:"bytes"`
	Rate       float64          `json:"rate"`
	FromPeers  int64            `json:"from_peers"`
	FromOrigin int64            `json:"from_origin"`
	Wasted     int64            `json:"wasted"`
	Sources    map[string]int64 `json:"sources"`
	Pieces     []struct {
		First int `json:"first"`
		Last  int `json:"last"`
	} `json:"pieces"`
	Message string `json:"message"`
}

// maxSources bounds who can have given something to one receiver.
const maxSources = 1024

// parseEvent reads a line. What is no event, or says what cannot be, is not one.
func parseEvent(line []byte) (e event, ok bool) {
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Event == "" {
		return event{}, false
	}
	if min(e.Bytes, e.FromPeers, e.FromOrigin, e.Wasted) < 0 || e.Rate < 0 || len(e.Sources) > maxSources {
		return event{}, false
	}
	for _, n := range e.Sources {
		if n < 0 {
			return event{}, false
		}
	}
	return e, true
}

// fetched is what has come in this session, from whomever.
func (e *event) fetched() int64 { return e.FromPeers + e.FromOrigin }

// lacking is how many pieces a missing event names.
func (e *event) lacking() int {
	n := 0
	for _, p := range e.Pieces {
		n += max(p.Last-p.First+1, 0)
	}
	return n
}

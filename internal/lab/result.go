package lab

import "time"

// Result is what a run gave. Times are since the start of the run's first receiver
// except where they say otherwise; sizes are bytes of content. JSON has times in
// nanoseconds.
type Result struct {
	Run Run `json:"run"`

	Void       string   `json:"void,omitempty"`       // why the run is not to be believed
	Incomplete string   `json:"incomplete,omitempty"` // why not all have finished, in words
	Notes      []string `json:"notes,omitempty"`      // what was done otherwise: pieces merged, shaped in user space

	Nodes  []Node          `json:"nodes,omitempty"`    // origins first; left out above MaxNodes receivers
	Times  []time.Duration `json:"times_ns,omitempty"` // per finished receiver from its own start, ascending; left out above MaxNodes
	N      int             `json:"n"`                  // receivers
	Done   int             `json:"done"`               // that finished
	Last   time.Duration   `json:"last_ns"`            // from the first start to the last finish
	Median time.Duration   `json:"median_ns"`          // of Times
	P99    time.Duration   `json:"p99_ns"`
	Mean   time.Duration   `json:"mean_ns"`
	First  time.Duration   `json:"first_ns"` // median time to the first byte
	Took   time.Duration   `json:"took_ns"`  // whole run, until it ended

	FromOrigin int64 `json:"from_origin"` // content that left the origins
	FromPeers  int64 `json:"from_peers"`  // content that receivers gave
	Wasted     int64 `json:"wasted"`      // fetched twice
	Corrupt    int64 `json:"corrupt"`     // wrong bytes that arrived and were thrown away
	Accepted   int64 `json:"accepted"`    // wrong bytes in finished files: must be 0

	Pairs    []Pair          `json:"pairs,omitempty"`      // who gave to whom; left out above MaxPairs nodes
	Copies   []Copies        `json:"copies,omitempty"`     // at most 200 points
	Progress []Point         `json:"progress,omitempty"`   // receivers finished against time, at most 400 points
	OneOut   time.Duration   `json:"one_out_ns,omitempty"` // when every piece was held by some receiver; 0: never, or not known
	Killed   []time.Duration `json:"killed_ns,omitempty"`  // when the kills took place
	// Recovered says for each kill how long it took until every receiver that then lacked
	// something had got another piece; 0: never.
	Recovered []time.Duration `json:"recovered_ns,omitempty"`

	Jain    float64 `json:"jain,omitempty"`    // fairness index of receivers' rates (1: equal)
	Gini    float64 `json:"gini,omitempty"`    // of bytes given, origins included (0: equal); of the first MaxNodes receivers
	Unasked int64   `json:"unasked,omitempty"` // requests without permission that got a byte: must be 0

	Use *Use `json:"use,omitempty"`

	// Of a bound.
	Bound *Bound `json:"bound,omitempty"`
}

// What a Result leaves out above.
const (
	MaxNodes = 10_000
	MaxPairs = 40
)

// Node is one machine of a run.
type Node struct {
	Name   string        `json:"name"`
	Origin bool          `json:"origin,omitempty"`
	Gave   int64         `json:"gave"`
	Took   int64         `json:"took"`
	Start  time.Duration `json:"start_ns"`
	First  time.Duration `json:"first_ns,omitempty"` // from Start
	Done   time.Duration `json:"done_ns,omitempty"`  // from Start; 0: did not finish
}

// Pair says how much one node gave another; indices into Result.Nodes.
type Pair struct {
	From  int   `json:"from"`
	To    int   `json:"to"`
	Bytes int64 `json:"bytes"`
}

// Copies is how many receivers held the pieces at a time.
type Copies struct {
	At   time.Duration `json:"at_ns"`
	Min  int           `json:"min"`
	Mean float64       `json:"mean"`
}

// Point is a count at a time.
type Point struct {
	At time.Duration `json:"at_ns"`
	N  int           `json:"n"`
}

// Use is what a real run cost the machine.
type Use struct {
	Shaping    string  `json:"shaping"`    // "network namespaces" or "user space"
	Busy       float64 `json:"busy"`       // share of the machine's CPU, 0 to 1
	Calibrated float64 `json:"calibrated"` // rate of the calibration flow by what it should be
	OriginCPU  float64 `json:"origin_cpu"` // seconds
	PeerCPU    float64 `json:"peer_cpu"`   // seconds, all receivers together
	OriginRSS  int64   `json:"origin_rss"` // bytes at most
	PeerRSS    int64   `json:"peer_rss"`   // of the largest receiver
}

// Bound is the best that a model can do. Infinite times are math.MaxInt64.
type Bound struct {
	Last      time.Duration `json:"last_ns"`             // for the last finisher: B1 or B2, with B3 and B4, and B6 where it holds
	Raw       time.Duration `json:"raw_ns"`              // the same with the links' whole rates
	Name      string        `json:"name"`                // which formula bound: "B2"
	Why       string        `json:"why"`                 // which of its terms, in words: "the origin's upload"
	Rounds    time.Duration `json:"rounds_ns,omitempty"` // B5, for reference; 0: does not apply
	Streaming float64       `json:"streaming"`           // B7, bytes per second
	Crossover float64       `json:"crossover"`           // u_s/d_min: up to so many receivers peers cannot help
	Offload   float64       `json:"offload"`             // share of bytes that peers give when capacity binds
	Stable    float64       `json:"stable"`              // arrivals per second that are sustained
}

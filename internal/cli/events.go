package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"tandem/internal/node"
)

// The events of --json. Their names and keys are a contract that scripts rely
// on: add keys, never rename one.
type (
	listeningEvent struct {
		Event string `json:"event"`
		Addr  string `json:"addr"`
		Node  string `json:"node"` // our identity, as other nodes' sources name it
	}
	hashingEvent struct {
		Event string `json:"event"`
		Bytes int64  `json:"bytes"`
		Total int64  `json:"total"`
	}
	readyEvent struct {
		Event     string `json:"event"`
		ID        string `json:"id"`
		Link      string `json:"link"`
		InfoHash1 string `json:"infohash_v1,omitempty"`
		InfoHash2 string `json:"infohash_v2,omitempty"`
	}
	progressEvent struct {
		Event      string `json:"event"`
		Bytes      int64  `json:"bytes"`
		Total      int64  `json:"total"`
		Rate       int64  `json:"rate"`
		Peers      int    `json:"peers"`
		FromPeers  int64  `json:"from_peers"`
		FromOrigin int64  `json:"from_origin"`
	}
	completeEvent struct {
		Event      string           `json:"event"`
		Seconds    float64          `json:"seconds"`
		Bytes      int64            `json:"bytes"`
		FromPeers  int64            `json:"from_peers"`
		FromOrigin int64            `json:"from_origin"`
		Wasted     int64            `json:"wasted"`
		Limit      string           `json:"limit,omitempty"`
		Sources    map[string]int64 `json:"sources,omitempty"`
		FromLAN    int64            `json:"from_lan"` // of from_peers
		Peers      int              `json:"peers"`    // that gave something
		Best       float64          `json:"best,omitempty"`
		Via        string           `json:"via,omitempty"`
	}
	missingEvent struct {
		Event   string              `json:"event"`
		Pieces  []node.LostSnapshot `json:"pieces"` // that nobody connected has
		Message string              `json:"message"`
	}
	uploadEvent struct {
		Event string `json:"event"`
		State string `json:"state"`
		Bytes int64  `json:"bytes"`
		Total int64  `json:"total"`
		Error string `json:"error,omitempty"`
	}
	offerEvent struct {
		Event  string `json:"event"`
		Server string `json:"server"`
		State  string `json:"state"`
		Space  int64  `json:"space"`
		Used   int64  `json:"used"`
		Kept   int    `json:"kept"`
	}
	seedingEvent struct {
		Event string `json:"event"`
		ID    string `json:"id"`
	}
	reachabilityEvent struct {
		Event   string `json:"event"`
		Message string `json:"message"`
	}
	warningEvent struct {
		Event   string `json:"event"`
		Message string `json:"message"`
	}
	errorEvent struct {
		Event   string `json:"event"`
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
)

// writeJSON writes one object and a newline in one Write, so that lines of
// several processes on one pipe do not mix.
func writeJSON(w io.Writer, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // links are full of ampersands
	if err := e.Encode(v); err != nil {
		panic(err) // none of our types can fail
	}
	_, _ = w.Write(asciiControls(b.Bytes())) // a reader that went away is the shell's to report
}

// asciiControls escapes what clean would, the JSON way: the value stays exact
// and a terminal stays safe. (encoding/json escapes only below U+0020.)
func asciiControls(b []byte) []byte {
	if bytes.IndexFunc(bytes.TrimSuffix(b, []byte("\n")), unsafe) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range string(b) {
		switch {
		case !unsafe(r) || r < 0x20:
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// reporter tells what happens to one share or transfer.
type reporter interface {
	Listening(addr, node string)
	Hashing(done, total int64)
	Ready(s node.Snapshot)
	Progress(s node.Snapshot)
	Paused(s node.Snapshot) // it waits, for s.Error, and goes on by itself
	Resumed()
	Missing(s node.Snapshot) // nobody connected has some pieces, and no server answers
	Upload(s node.Snapshot)  // of a share, to its server
	Offer(s node.Snapshot)   // of room
	Complete(s node.Snapshot)
	Seeding(s node.Snapshot)
	Reachability(message string) // who can connect to this node
	Warn(message string)
	// Close ends what is drawn on the terminal.
	Close()
}

// jsonReporter writes events.
type jsonReporter struct {
	w      io.Writer
	now    func() time.Time
	hashed time.Time // of the last hashing event
	offer  offerEvent
}

func (j *jsonReporter) Listening(addr, node string) {
	writeJSON(j.w, listeningEvent{"listening", addr, node})
}

// Hashing thins out: ten events a second tell as much as a thousand.
func (j *jsonReporter) Hashing(done, total int64) {
	if now := j.now(); done == total || now.Sub(j.hashed) >= 100*time.Millisecond {
		j.hashed = now
		writeJSON(j.w, hashingEvent{"hashing", done, total})
	}
}

func (j *jsonReporter) Ready(s node.Snapshot) {
	writeJSON(j.w, readyEvent{"ready", s.ID, s.Link, s.InfoHash1, s.InfoHash2})
}

func (j *jsonReporter) Progress(s node.Snapshot) {
	writeJSON(j.w, progressEvent{"progress", s.Bytes, s.Total, int64(s.Rate), len(s.Peers), s.FromPeers, s.FromOrigin})
}

func (j *jsonReporter) Paused(s node.Snapshot) {
	writeJSON(j.w, errorEvent{"error", s.ErrorKind, clean(s.Error), pauseHint})
}

// Resumed says nothing: the next progress event does.
func (j *jsonReporter) Resumed() {}

func (j *jsonReporter) Complete(s node.Snapshot) {
	seconds := math.Round(s.Completed.Sub(s.Started).Seconds()*1000) / 1000
	writeJSON(j.w, completeEvent{
		"complete", seconds, s.Bytes, s.FromPeers, s.FromOrigin, s.Wasted, clean(s.Limit), cleanKeys(s.Sources),
		s.FromLAN, len(s.Sources), math.Round(s.Best*1000) / 1000, s.Via,
	})
}

func (j *jsonReporter) Missing(s node.Snapshot) {
	writeJSON(j.w, missingEvent{"missing", s.Lost, missingText(s)})
}

func (j *jsonReporter) Upload(s node.Snapshot) {
	u := s.Upload
	writeJSON(j.w, uploadEvent{"upload", u.State, u.Done, u.Total, clean(u.Error)})
}

// Offer tells of changes only.
func (j *jsonReporter) Offer(s node.Snapshot) {
	e := offerEvent{Event: "offer", Server: s.Server}
	if o := s.Offer; o != nil {
		e.State, e.Space, e.Used, e.Kept = o.State, o.Space, o.Used, o.Kept
	}
	if e != j.offer {
		j.offer = e
		writeJSON(j.w, e)
	}
}

func (j *jsonReporter) Seeding(s node.Snapshot) { writeJSON(j.w, seedingEvent{"seeding", s.ID}) }
func (j *jsonReporter) Reachability(message string) {
	writeJSON(j.w, reachabilityEvent{"reachability", clean(message)})
}

func (j *jsonReporter) Warn(message string) {
	writeJSON(j.w, warningEvent{"warning", clean(message)})
}
func (j *jsonReporter) Close() {}

func cleanKeys(m map[string]int64) map[string]int64 {
	out := make(map[string]int64, len(m))
	for k, v := range m {
		out[clean(k)] += v
	}
	return out
}

package tracker

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	maxQuery  = 4096 // bytes of an HTTP announce
	maxWanted = 200  // peers in one reply
	maxWant   = 50   // when the client does not say
)

// ServerOptions of a Server. The zero value is good.
type ServerOptions struct {
	Interval    time.Duration // between announces; 30 minutes when zero
	MinInterval time.Duration // least time between early announces; 5 seconds when zero
	MaxSwarms   int           // 10,000 when zero
	MaxPeers    int           // of one swarm; 2,000 when zero
	// Allow says whether a swarm is tracked; nil: every one. It is called for
	// each announce and must be fast.
	Allow func(key content.SHA1) bool
	Now   func() time.Time // nil: time.Now
}

// Server is a tracker that keeps everything in memory. It serves HTTP as an
// http.Handler at whatever path it is mounted, and UDP by ServeUDP, from the
// same swarms.
type Server struct {
	o        ServerOptions
	secret   [32]byte // of connection IDs
	throttle discover.Throttle

	mu     sync.Mutex // guards the field below
	swarms swarms
}

// NewServer returns a tracker that knows nobody yet.
func NewServer(o ServerOptions) *Server {
	if o.Interval == 0 {
		o.Interval = usualEvery
	}
	if o.MinInterval == 0 {
		o.MinInterval = earliest
	}
	if o.MaxSwarms == 0 {
		o.MaxSwarms = 10_000
	}
	if o.MaxPeers == 0 {
		o.MaxPeers = maxPeers
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, swarms: swarms{maxSwarms: o.MaxSwarms, maxPeers: o.MaxPeers}}
	rand.Read(s.secret[:]) // never fails
	return s
}

// answer is what an announce gets.
type answer struct {
	complete, incomplete int
	peers                []netip.AddrPort
}

// take records an announce from addr (with the port announced) and chooses
// peers. The error is of kind fault.Refused when the swarm is not tracked.
func (s *Server) take(r request, addr netip.Addr, want func(netip.Addr) bool) (answer, error) {
	if s.o.Allow != nil && !s.o.Allow(r.Key) {
		return answer{}, fault.Errorf(fault.Refused, "swarm is not tracked here")
	}
	n := int(r.NumWant)
	if n < 0 {
		n = maxWant
	}
	n = min(n, maxWanted)
	self := netip.AddrPortFrom(addr, r.Port)
	stopped := r.Event == eventStopped || r.Port == 0
	now := s.o.Now()

	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.swarms.get(r.Key, !stopped)
	if w == nil {
		return answer{}, nil
	}
	w.expire(now.Add(-2*s.o.Interval - time.Minute))
	var a answer
	switch {
	case r.Event == eventStopped:
		w.remove(self)
	default:
		if !stopped {
			w.put(self, r.Left == 0, now, s.o.MaxPeers)
		}
		a.peers = w.choose(self, n, want)
	}
	a.complete, a.incomplete = w.seeds, len(w.all)-w.seeds
	if len(w.all) == 0 {
		s.swarms.forget(w)
	}
	return a, nil
}

// ServeHTTP answers an HTTP announce. Timeouts are the embedder's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "announces are GET requests", http.StatusMethodNotAllowed)
		return
	}
	body, err := s.announceHTTP(r)
	if err != nil {
		body = bencode.Append(nil, map[string]any{"failure reason": err.Error()})
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // the client is gone if this fails
}

// announceHTTP returns the body for an announce. The "ip" parameter is
// ignored: a peer is where it is seen.
func (s *Server) announceHTTP(r *http.Request) ([]byte, error) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "address is unknown")
	}
	req, compact, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	a, err := s.take(req, from.Addr().Unmap().WithZone(""), func(netip.Addr) bool { return true })
	if err != nil {
		return nil, err
	}
	reply := map[string]any{
		"complete":     int64(a.complete),
		"incomplete":   int64(a.incomplete),
		"interval":     int64(s.o.Interval / time.Second),
		"min interval": int64(s.o.MinInterval / time.Second),
	}
	var v4, v6 []byte
	list := []any{}
	for _, p := range a.peers {
		switch {
		case !compact:
			list = append(list, map[string]any{"ip": p.Addr().String(), "port": int64(p.Port())})
		case p.Addr().Is4():
			v4 = appendPeer(v4, p)
		default:
			v6 = appendPeer(v6, p)
		}
	}
	if compact {
		reply["peers"] = v4
	} else {
		reply["peers"] = list
	}
	if len(v6) > 0 {
		reply["peers6"] = v6
	}
	return bencode.Append(nil, reply), nil
}

// parseQuery reads the query of an HTTP announce. Errors are of kind
// fault.Invalid.
func parseQuery(raw string) (r request, compact bool, err error) {
	if len(raw) > maxQuery {
		return r, false, fault.Errorf(fault.Invalid, "announce is longer than %d bytes", maxQuery)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return r, false, fault.Errorf(fault.Invalid, "announce is not a query")
	}
	if copy(r.Key[:], q.Get("info_hash")) != len(r.Key) || len(q.Get("info_hash")) != len(r.Key) {
		return r, false, fault.Errorf(fault.Invalid, "info_hash is not 20 bytes")
	}
	if copy(r.PeerID[:], q.Get("peer_id")) != len(r.PeerID) || len(q.Get("peer_id")) != len(r.PeerID) {
		return r, false, fault.Errorf(fault.Invalid, "peer_id is not 20 bytes")
	}
	port, err := strconv.ParseUint(q.Get("port"), 10, 16)
	if err != nil {
		return r, false, fault.Errorf(fault.Invalid, "port is not a number from 0 to 65535")
	}
	r.Port = uint16(port)
	r.Left = -1 // unknown is not complete
	if left, err := strconv.ParseInt(q.Get("left"), 10, 64); err == nil {
		r.Left = left
	}
	r.NumWant = -1
	if want, err := strconv.ParseInt(q.Get("numwant"), 10, 32); err == nil {
		r.NumWant = int32(want)
	}
	for e, name := range eventNames {
		if e > 0 && q.Get("event") == name {
			r.Event = event(e)
		}
	}
	return r, q.Get("compact") != "0", nil
}

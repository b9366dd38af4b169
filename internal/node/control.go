package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tandem/internal/fault"
)

// The control socket: a client sends one request, a line of JSON, and reads
// responses, one a line, until the one that says how it ended. It is in the state
// folder (0700) and of mode 0600: who can connect is the node's own user.

// Operations of a Request.
const (
	opStatus = "status"
	opStop   = "stop"
	opStart  = "start"
)

// Limits of the control socket.
const (
	maxRequest  = 1 << 20 // bytes of a line
	maxControl  = 16      // connections at a time
	requestTime = 10 * time.Second
)

// Request is one question to a running node.
type Request struct {
	Op    string        `json:"op"`
	ID    string        `json:"id,omitempty"` // stop; status: empty for all
	Share *ShareOptions `json:"share,omitempty"`
	Get   *GetOptions   `json:"get,omitempty"`
	Seed  *SeedOptions  `json:"seed,omitempty"`
	Keep  *KeepOptions  `json:"keep,omitempty"`
	Offer *OfferOptions `json:"offer,omitempty"`
}

// response is a line of the answer; one field is set.
type response struct {
	Hashing *[2]int64    `json:"hashing,omitempty"`
	Warning string       `json:"warning,omitempty"`
	Items   []Snapshot   `json:"items,omitempty"`
	Error   *remoteError `json:"error,omitempty"`
	End     bool         `json:"end,omitempty"` // the last line
}

// remoteError carries a failure across the socket.
type remoteError struct {
	Kind    string `json:"kind"`
	Special string `json:"special,omitempty"`
	Message string `json:"message"`
}

// specials are the sentinels that cross the socket.
var specials = map[string]error{
	"source": ErrSource, "expired": ErrExpired, "no-sources": ErrNoSources, "no-item": ErrNoItem, "select": ErrSelect,
	"nothing": ErrNothing, "password": ErrPassword, "revoked": ErrRevoked,
}

func toRemote(err error) *remoteError {
	r := &remoteError{Kind: fault.KindOf(err).String(), Message: err.Error()}
	for name, is := range specials {
		if errors.Is(err, is) {
			r.Special = name
		}
	}
	return r
}

// Error implements error.
func (r *remoteError) Error() string { return r.Message }

// Is makes errors.Is see what the node saw.
func (r *remoteError) Is(target error) bool {
	return r.Special != "" && specials[r.Special] == target
}

// local gives a failure of the node its kind here.
func (r *remoteError) local() error {
	for k := fault.Other; ; k++ {
		if name := k.String(); name == r.Kind {
			return fault.Wrap(k, r)
		} else if k > fault.Other && name == fault.Other.String() {
			return r
		}
	}
}

func socketPath(stateDir string) string { return filepath.Join(stateDir, "node.sock") }

// Control serves the control socket until ctx ends. The error is ErrNodeRuns when
// another node has it.
func (n *Node) Control(ctx context.Context) error {
	path := socketPath(n.cfg.StateDir)
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return fmt.Errorf("%s: %w", path, ErrNodeRuns)
	}
	_ = os.Remove(path) // of a node that was killed
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", fileFault(err))
	}
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("control socket: %w", fileFault(err))
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	slots := make(chan struct{}, maxControl)
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("control socket: %w", err)
		}
		slots <- struct{}{}
		open.Go(func() {
			defer func() { <-slots }()
			n.control(ctx, c)
		})
	}
}

// control answers one connection. A client that goes away ends what it waits for.
func (n *Node) control(ctx context.Context, c net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	var write sync.Mutex
	send := func(r response) {
		write.Lock()
		defer write.Unlock()
		b, err := json.Marshal(r)
		if err == nil {
			_ = c.SetWriteDeadline(time.Now().Add(requestTime))
			_, err = c.Write(append(b, '\n'))
		}
		if err != nil {
			cancel()
		}
	}
	var req Request
	if err := readLine(c, &req); err != nil {
		send(response{Error: toRemote(fault.Errorf(fault.Invalid, "control request: %w", err)), End: true})
		return
	}
	var gone sync.WaitGroup
	gone.Go(func() { // the client says nothing more: a read ends when it goes
		_, _ = c.Read(make([]byte, 1))
		cancel()
	})
	items, err := n.do(ctx, req, Watch{
		Hashing: func(done, total int64) { send(response{Hashing: &[2]int64{done, total}}) },
		Warn:    func(m string) { send(response{Warning: m}) },
	})
	if err != nil {
		send(response{Error: toRemote(err), End: true})
	} else {
		send(response{Items: items, End: true})
	}
	_ = c.Close()
	gone.Wait()
}

func readLine(c net.Conn, v any) error {
	if err := c.SetReadDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	s := bufio.NewScanner(c)
	s.Buffer(nil, maxRequest)
	if !s.Scan() {
		return errors.Join(s.Err(), errors.New("no line"))
	}
	if err := json.Unmarshal(s.Bytes(), v); err != nil {
		return err
	}
	return c.SetReadDeadline(time.Time{})
}

// do carries out a request.
func (n *Node) do(ctx context.Context, req Request, w Watch) ([]Snapshot, error) {
	var it *Item
	var err error
	switch {
	case req.Op == opStatus:
		return n.status(req.ID)
	case req.Op == opStop:
		return n.stop(ctx, req.ID)
	case req.Op == opStart && req.Share != nil:
		it, err = n.Share(ctx, *req.Share, w)
	case req.Op == opStart && req.Get != nil:
		it, err = n.Get(ctx, *req.Get, w)
	case req.Op == opStart && req.Seed != nil:
		it, err = n.Seed(ctx, *req.Seed, w)
	case req.Op == opStart && req.Keep != nil:
		it, err = n.Keep(ctx, *req.Keep, w)
	case req.Op == opStart && req.Offer != nil:
		it, err = n.Offer(ctx, *req.Offer, w)
	default:
		return nil, fault.Errorf(fault.Invalid, "control request: operation %q is not known", req.Op)
	}
	if err != nil {
		return nil, err
	}
	return []Snapshot{it.Status()}, nil
}

// status returns one item, by ID, or all of them, then without their links.
func (n *Node) status(id string) ([]Snapshot, error) {
	var list []Snapshot
	for _, it := range n.reg.all() {
		s := it.Status()
		s.Link = ""
		list = append(list, s)
	}
	n.pending.mu.Lock()
	for pid, w := range n.pending.list {
		if _, up := n.reg.get(pid); !up {
			list = append(list, w.snapshot())
		}
	}
	n.pending.mu.Unlock()
	if id == "" {
		return list, nil
	}
	if it, ok := n.reg.get(id); ok {
		return []Snapshot{it.Status()}, nil
	}
	for _, s := range list {
		if s.ID == id {
			return []Snapshot{s}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", id, ErrNoItem)
}

// stop ends an item for good and returns its last state.
func (n *Node) stop(ctx context.Context, id string) ([]Snapshot, error) {
	it, ok := n.reg.get(id)
	if !ok {
		if n.drop(id) {
			return []Snapshot{{ID: id}}, nil
		}
		return nil, fmt.Errorf("%s: %w", id, ErrNoItem)
	}
	it.Stop()
	select {
	case <-it.Done():
	case <-ctx.Done():
	}
	s := it.Status()
	s.Link = ""
	return []Snapshot{s}, nil
}

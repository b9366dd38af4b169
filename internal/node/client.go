package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"tandem/internal/fault"
)

// Client talks to the node that runs on a state folder. It carries one request.
type Client struct{ conn net.Conn }

// Connect reaches the running node; ErrNoNode when there is none.
func Connect(ctx context.Context, stateDir string) (*Client, error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	c, err := d.DialContext(ctx, "unix", socketPath(stateDir))
	if err != nil {
		if errors.Is(fileFault(err), fault.Permission) {
			return nil, fmt.Errorf("reach the node: %w", fileFault(err))
		}
		return nil, ErrNoNode
	}
	return &Client{c}, nil
}

// Close hangs up.
func (c *Client) Close() error { return c.conn.Close() }

// Start begins a share or transfer; it goes on in the node.
func (c *Client) Start(ctx context.Context, req Request, w Watch) (Snapshot, error) {
	req.Op = opStart
	items, err := c.do(ctx, req, w)
	if err != nil {
		return Snapshot{}, err
	}
	if len(items) != 1 {
		return Snapshot{}, fault.Errorf(fault.Protocol, "the node answered with %d items", len(items))
	}
	return items[0], nil
}

// Status returns one item, with its link, or all of them when id is empty.
func (c *Client) Status(ctx context.Context, id string) ([]Snapshot, error) {
	return c.do(ctx, Request{Op: opStatus, ID: id}, Watch{})
}

// Stop ends an item for good and returns its last state.
func (c *Client) Stop(ctx context.Context, id string) (Snapshot, error) {
	items, err := c.do(ctx, Request{Op: opStop, ID: id}, Watch{})
	if err != nil || len(items) == 0 {
		return Snapshot{}, err
	}
	return items[0], nil
}

func (c *Client) do(ctx context.Context, req Request, w Watch) ([]Snapshot, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	b, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(append(b, '\n')); err != nil {
		return nil, fmt.Errorf("ask the node: %w", err)
	}
	s := bufio.NewScanner(c.conn)
	s.Buffer(nil, 16*maxRequest)
	for s.Scan() {
		var r response
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			return nil, fault.Errorf(fault.Protocol, "answer of the node: %w", err)
		}
		switch {
		case r.Error != nil:
			return nil, r.Error.local()
		case r.Hashing != nil:
			w.hashing(r.Hashing[0], r.Hashing[1])
		case r.Warning != "":
			w.warn(r.Warning)
		case r.End:
			return r.Items, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fault.Errorf(fault.Closed, "the node went away: %w", errors.Join(s.Err(), net.ErrClosed))
}

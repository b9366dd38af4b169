package tracker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"

	"tandem/internal/fault"
)

// udpSends is how often a request is sent before the tracker counts as dead:
// at 0, 15 and 45 seconds, with 30 seconds for the last answer. BEP 15 goes on
// for an hour; the schedule of announces does that instead.
const udpSends = 3

// announceUDP announces to the tracker at addr. Every announce uses a socket
// and a connection ID of its own: they are half an hour apart, and an ID holds
// for a minute.
func (c *Client) announceUDP(ctx context.Context, u *url.URL, addr netip.AddrPort, r request) (reply, error) {
	conn, err := c.dial(ctx, "udp", addr.String())
	if err != nil {
		return reply{}, fault.Wrap(fault.Unreachable, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()

	tx := random32()
	b, err := c.exchange(ctx, conn, appendConnect(nil, tx), tx, actionConnect)
	if err != nil {
		return reply{}, err
	}
	id, err := parseConnectReply(b)
	if err != nil {
		return reply{}, err
	}
	data := u.EscapedPath()
	if u.RawQuery != "" {
		data += "?" + u.RawQuery
	}
	tx = random32()
	b, err = c.exchange(ctx, conn, appendAnnounce(nil, id, tx, r, data), tx, actionAnnounce)
	if err != nil {
		return reply{}, err
	}
	return parseAnnounceReply(b, addr.Addr().Unmap().Is6())
}

// exchange sends packet until the tracker answers transaction tx. conn is
// connected, so that only the tracker's own datagrams arrive.
func (c *Client) exchange(ctx context.Context, conn net.Conn, packet []byte, tx, action uint32) ([]byte, error) {
	buf := make([]byte, maxPacket)
	wait := c.retry
	for range udpSends {
		if _, err := conn.Write(packet); err != nil {
			return nil, fault.Wrap(fault.Unreachable, err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		for ctx.Err() == nil { // after the deadline was set: ctx may have ended before
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nil, fault.Wrap(fault.Unreachable, err)
			}
			if ours, err := checkReply(buf[:n], tx, action); ours {
				return buf[:n], err
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		wait *= 2
	}
	return nil, fault.Errorf(fault.Timeout, "no answer to %d datagrams", udpSends)
}

package tracker

import (
	"encoding/binary"
	"net/netip"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

// Actions of the UDP protocol (BEP 15).
const (
	actionConnect  = 0
	actionAnnounce = 1
	actionError    = 3
)

const (
	protocolID      = 0x41727101980 // opens a connect request
	connectSize     = 16            // request and reply
	announceSize    = 98            // request without options
	announceHead    = 20            // reply without peers
	maxPacket       = 8 << 10       // what is read of one datagram
	maxReason       = 200           // characters of a tracker's text
	optionURLData   = 2             // BEP 41
	maxURLDataChunk = 255
)

// event is what an announce reports.
type event uint32

const (
	eventNone event = iota
	eventCompleted
	eventStarted
	eventStopped
)

var eventNames = [...]string{"", "completed", "started", "stopped"}

// request is one announce, the same for HTTP and UDP.
type request struct {
	Key                        content.SHA1
	PeerID                     [20]byte
	Downloaded, Left, Uploaded int64 // bytes
	Event                      event
	Token                      uint32 // "key": recognises us when our address changes
	NumWant                    int32  // -1: as the tracker likes
	Port                       uint16
}

// appendConnect appends a connect request.
func appendConnect(dst []byte, tx uint32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, protocolID)
	dst = binary.BigEndian.AppendUint32(dst, actionConnect)
	return binary.BigEndian.AppendUint32(dst, tx)
}

// parseConnect reads a connect request.
func parseConnect(b []byte) (tx uint32, ok bool) {
	if len(b) < connectSize || binary.BigEndian.Uint64(b) != protocolID || binary.BigEndian.Uint32(b[8:]) != actionConnect {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[12:]), true
}

// appendConnectReply appends the answer to a connect request.
func appendConnectReply(dst []byte, tx uint32, id uint64) []byte {
	dst = binary.BigEndian.AppendUint32(dst, actionConnect)
	dst = binary.BigEndian.AppendUint32(dst, tx)
	return binary.BigEndian.AppendUint64(dst, id)
}

// appendAnnounce appends an announce request. urlData is the path and query of
// the tracker's URL, which some trackers read a passkey from (BEP 41).
func appendAnnounce(dst []byte, id uint64, tx uint32, r request, urlData string) []byte {
	dst = binary.BigEndian.AppendUint64(dst, id)
	dst = binary.BigEndian.AppendUint32(dst, actionAnnounce)
	dst = binary.BigEndian.AppendUint32(dst, tx)
	dst = append(dst, r.Key[:]...)
	dst = append(dst, r.PeerID[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Downloaded))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Left))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Uploaded))
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.Event))
	dst = binary.BigEndian.AppendUint32(dst, 0) // our address: the tracker sees it
	dst = binary.BigEndian.AppendUint32(dst, r.Token)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.NumWant))
	dst = binary.BigEndian.AppendUint16(dst, r.Port)
	for len(urlData) > 0 {
		n := min(len(urlData), maxURLDataChunk)
		dst = append(dst, optionURLData, byte(n))
		dst = append(dst, urlData[:n]...)
		urlData = urlData[n:]
	}
	return dst
}

// parseAnnounce reads an announce request; what follows its 98 bytes is left
// to extensions.
func parseAnnounce(b []byte) (id uint64, tx uint32, r request, ok bool) {
	if len(b) < announceSize || binary.BigEndian.Uint32(b[8:]) != actionAnnounce {
		return 0, 0, request{}, false
	}
	e := binary.BigEndian.Uint32(b[80:])
	if e > uint32(eventStopped) {
		return 0, 0, request{}, false
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[12:]), request{
		Key:        content.SHA1(b[16:36]),
		PeerID:     [20]byte(b[36:56]),
		Downloaded: int64(binary.BigEndian.Uint64(b[56:])),
		Left:       int64(binary.BigEndian.Uint64(b[64:])),
		Uploaded:   int64(binary.BigEndian.Uint64(b[72:])),
		Event:      event(e),
		Token:      binary.BigEndian.Uint32(b[88:]),
		NumWant:    int32(binary.BigEndian.Uint32(b[92:])),
		Port:       binary.BigEndian.Uint16(b[96:]),
	}, true
}

// appendAnnounceReply appends the answer to an announce.
func appendAnnounceReply(dst []byte, tx, interval, incomplete, complete uint32, peers []netip.AddrPort) []byte {
	dst = binary.BigEndian.AppendUint32(dst, actionAnnounce)
	dst = binary.BigEndian.AppendUint32(dst, tx)
	dst = binary.BigEndian.AppendUint32(dst, interval)
	dst = binary.BigEndian.AppendUint32(dst, incomplete)
	dst = binary.BigEndian.AppendUint32(dst, complete)
	for _, p := range peers {
		dst = appendPeer(dst, p)
	}
	return dst
}

// appendError appends an error reply.
func appendError(dst []byte, tx uint32, text string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, actionError)
	dst = binary.BigEndian.AppendUint32(dst, tx)
	return append(dst, text...)
}

// checkReply tells whether b is for us (the transaction is ours) and, if so,
// whether it is of the wanted action. A tracker's error comes back as one of
// kind fault.Refused.
func checkReply(b []byte, tx, action uint32) (ours bool, err error) {
	if len(b) < 8 || binary.BigEndian.Uint32(b[4:]) != tx {
		return false, nil
	}
	switch got := binary.BigEndian.Uint32(b); got {
	case action:
		return true, nil
	case actionError:
		return true, fault.Errorf(fault.Refused, "tracker says: %s", discover.Printable(string(b[8:]), maxReason))
	default:
		return true, fault.Errorf(fault.Protocol, "tracker answered with action %d to %d", got, action)
	}
}

// parseConnectReply reads the connection ID out of a checked reply.
func parseConnectReply(b []byte) (uint64, error) {
	if len(b) < connectSize {
		return 0, fault.Errorf(fault.Protocol, "connect reply of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b[8:]), nil
}

// parseAnnounceReply reads a checked reply whose addresses are IPv6 when v6.
func parseAnnounceReply(b []byte, v6 bool) (reply, error) {
	if len(b) < announceHead {
		return reply{}, fault.Errorf(fault.Protocol, "announce reply of %d bytes", len(b))
	}
	peers, err := parsePeers(b[announceHead:], v6)
	if err != nil {
		return reply{}, err
	}
	return reply{
		interval: seconds(int64(binary.BigEndian.Uint32(b[8:]))),
		peers:    peers,
	}, nil
}

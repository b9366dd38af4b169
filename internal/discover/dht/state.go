package dht

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

// The state file: this line, the node's ID, then nodes of 38 bytes each: ID,
// IPv6 or mapped IPv4 address, port.
const (
	stateHead = "tandem dht 1\n"
	maxState  = 1000 // nodes
)

// state is what a node keeps between runs.
type state struct {
	id    [idSize]byte
	nodes []knownNode
}

type knownNode struct {
	id   [idSize]byte
	addr netip.AddrPort
}

// newState has a random ID and no nodes.
func newState() (s state) {
	rand.Read(s.id[:]) // never fails
	return s
}

func (s state) encode() []byte {
	b := append([]byte(stateHead), s.id[:]...)
	for _, n := range s.nodes[:min(len(s.nodes), maxState)] {
		ip := n.addr.Addr().As16()
		b = append(b, n.id[:]...)
		b = append(b, ip[:]...)
		b = binary.BigEndian.AppendUint16(b, n.addr.Port())
	}
	return b
}

// decodeState reads what encode wrote. The error is of kind fault.Invalid.
func decodeState(b []byte) (s state, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(stateHead))
	if !ok || len(rest) < idSize || (len(rest)-idSize)%node6Size != 0 || len(rest)/node6Size > maxState {
		return state{}, fault.Errorf(fault.Invalid, "not a DHT state file")
	}
	s.id = [idSize]byte(rest)
	for rest = rest[idSize:]; len(rest) > 0; rest = rest[node6Size:] {
		n := knownNode{
			id:   [idSize]byte(rest),
			addr: netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest[idSize:])).Unmap(), binary.BigEndian.Uint16(rest[node6Size-2:])),
		}
		if !discover.MayDial(n.addr, false) {
			return state{}, fault.Errorf(fault.Invalid, "DHT state file: node at %s", n.addr)
		}
		s.nodes = append(s.nodes, n)
	}
	return s, nil
}

// loadState reads file; what is absent or broken gives a new state, for it is
// only a memory.
func loadState(file string) state {
	if file == "" {
		return newState()
	}
	f, err := os.Open(file)
	if err != nil {
		return newState()
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(len(stateHead)+idSize+maxState*node6Size+1)))
	if err != nil {
		return newState()
	}
	s, err := decodeState(b)
	if err != nil {
		return newState()
	}
	return s
}

// save replaces file.
func (s state) save(file string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".dht-*")
	if err != nil {
		return err
	}
	_, err = f.Write(s.encode())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

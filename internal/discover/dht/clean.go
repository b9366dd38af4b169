package dht

import (
	"encoding/binary"
	"net/netip"

	"tandem/internal/bencode"
	"tandem/internal/discover"
)

// Bounds on what is taken from one message.
const (
	idSize    = 20
	node4Size = idSize + 6
	node6Size = idSize + 18
	maxNodes  = 32  // of one reply
	maxValues = 200 // of one reply
	maxTx     = 32  // bytes of a transaction ID
	maxToken  = 128 // bytes
)

// verdict says what to do with a message.
type verdict uint8

const (
	drop   verdict = iota
	pass           // hand the cleaned message to the library
	answer         // send the message back instead
)

// clean reads a message of the DHT and writes it anew with nothing in it but
// what BEP 5 and 32 define, every length checked. The library behind is never
// shown a stranger's bytes: of those it read, some make it panic (a query
// without arguments, an address of one byte), some make it remember without
// bound (methods of unknown name, BEP 44 items) and it answers find_node by
// the wrong argument. global says that the sender is on the Internet; then
// local addresses are taken out of its answer.
func clean(b []byte, global bool) ([]byte, verdict) {
	// Some programs send bytes behind the message: they are left out.
	v, _, err := bencode.DecodePrefix(b, bencode.Options{Unsorted: true, MaxDepth: 16, MaxTokens: 4096})
	if err != nil || v.Kind() != bencode.Dict {
		return nil, drop
	}
	tx, ok := field(v, "t", 1, maxTx)
	if !ok {
		return nil, drop
	}
	y, _ := field(v, "y", 1, 1)
	out := map[string]any{"t": tx, "y": y}
	switch string(y) {
	case "q":
		method, _ := field(v, "q", 1, 32)
		args, known := query(v, string(method))
		if !known {
			return unknownMethod(tx), answer
		}
		if args == nil {
			return nil, drop
		}
		out["q"], out["a"] = method, args
		if ro, _ := v.Dict("ro"); intOf(ro) == 1 { // BEP 43
			out["ro"] = int64(1)
		}
	case "r":
		r := response(v, global)
		if r == nil {
			return nil, drop
		}
		out["r"] = r
	case "e":
		out["e"] = failure(v)
	default:
		return nil, drop
	}
	return bencode.Append(nil, out), pass
}

func unknownMethod(tx []byte) []byte {
	return bencode.Append(nil, map[string]any{
		"t": tx, "y": "e", "e": []any{int64(204), "Method Unknown"},
	})
}

// field returns the byte string at key when its length is in bounds.
func field(v bencode.Value, key string, least, most int) ([]byte, bool) {
	e, _ := v.Dict(key)
	b, ok := e.Bytes()
	if !ok || len(b) < least || len(b) > most {
		return nil, false
	}
	return b, true
}

func intOf(v bencode.Value) int64 {
	n, _ := v.Int()
	return n
}

// query returns the arguments of a query; nil when they are not in order.
func query(v bencode.Value, method string) (args map[string]any, known bool) {
	switch method {
	case "ping", "find_node", "get_peers", "announce_peer":
	default:
		return nil, false
	}
	a, _ := v.Dict("a")
	id, ok := field(a, "id", idSize, idSize)
	if !ok {
		return nil, true
	}
	args = map[string]any{"id": id}
	if method == "ping" {
		return args, true
	}
	name := "info_hash"
	if method == "find_node" {
		name = "target"
	}
	key, ok := field(a, name, idSize, idSize)
	if !ok {
		return nil, true
	}
	// The library looks at info_hash for find_node too.
	args[name], args["info_hash"] = key, key
	if method == "announce_peer" {
		return announced(a, args), true
	}
	if want := wanted(a); len(want) > 0 {
		args["want"] = want
	}
	return args, true
}

// announced adds the token and port of an announce_peer.
func announced(a bencode.Value, args map[string]any) map[string]any {
	token, ok := field(a, "token", 1, maxToken)
	if !ok {
		return nil
	}
	args["token"] = token
	p, _ := a.Dict("port")
	port := intOf(p)
	implied, _ := a.Dict("implied_port")
	switch {
	case intOf(implied) != 0:
		args["implied_port"], args["port"] = int64(1), int64(0)
	case port >= 1 && port <= 65535:
		args["port"] = port
	default:
		return nil
	}
	return args
}

// wanted returns the families asked for (BEP 32).
func wanted(a bencode.Value) []any {
	w, _ := a.Dict("want")
	list, _ := w.List()
	var n4, n6 bool
	for _, e := range list {
		s, _ := e.String()
		n4, n6 = n4 || s == "n4", n6 || s == "n6"
	}
	var want []any
	if n4 {
		want = append(want, "n4")
	}
	if n6 {
		want = append(want, "n6")
	}
	return want
}

// response returns the return values of a reply; nil when it has no sender.
func response(v bencode.Value, global bool) map[string]any {
	r, _ := v.Dict("r")
	id, ok := field(r, "id", idSize, idSize)
	if !ok {
		return nil
	}
	out := map[string]any{"id": id}
	if token, ok := field(r, "token", 1, maxToken); ok {
		out["token"] = token
	}
	for key, size := range map[string]int{"nodes": node4Size, "nodes6": node6Size} {
		if b, ok := field(r, key, size, 64<<10); ok && len(b)%size == 0 {
			if nodes := reachable(b, size, global); len(nodes) > 0 {
				out[key] = nodes
			}
		}
	}
	values, _ := r.Dict("values")
	list, _ := values.List()
	var peers []any
	for _, e := range list[:min(len(list), maxValues)] {
		b, _ := e.Bytes()
		if addr, ok := compactAddr(b); ok && discover.MayDial(addr, global) {
			peers = append(peers, b)
		}
	}
	if len(peers) > 0 {
		out["values"] = peers
	}
	return out
}

// reachable returns the nodes of a compact list that may be asked.
func reachable(b []byte, size int, global bool) []byte {
	var out []byte
	for ; len(b) > 0 && len(out) < maxNodes*size; b = b[size:] {
		if addr, ok := compactAddr(b[idSize:size]); ok && discover.MayDial(addr, global) {
			out = append(out, b[:size]...)
		}
	}
	return out
}

// compactAddr reads 6 or 18 bytes. IPv4 in the form of IPv6 is refused: it
// would be asked twice.
func compactAddr(b []byte) (netip.AddrPort, bool) {
	if len(b) != 6 && len(b) != 18 {
		return netip.AddrPort{}, false
	}
	addr, _ := netip.AddrFromSlice(b[:len(b)-2]) // 4 or 16 bytes: always one
	if addr.Is4In6() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[len(b)-2:])), true
}

// failure returns the code and text of an error.
func failure(v bencode.Value) []any {
	e, _ := v.Dict("e")
	list, _ := e.List()
	code, text := int64(201), ""
	if len(list) > 0 {
		code = min(max(intOf(list[0]), 0), 999)
	}
	if len(list) > 1 {
		text, _ = list[1].String()
	}
	return []any{code, discover.Printable(text, 100)}
}

package wire

import "strings"

// NewPeerID returns a BitTorrent peer ID of ours: client, version and
// randomness (BEP 20). Version is four characters, as in "0100".
func NewPeerID(version [4]byte, random [12]byte) [20]byte {
	var id [20]byte
	copy(id[:], "-TD")
	copy(id[3:], version[:])
	id[7] = '-'
	copy(id[8:], random[:])
	return id
}

// clients are the programs one meets, by the two letters of their peer ID.
var clients = map[string]string{
	"7T": "aTorrent", "AZ": "Vuze", "BC": "BitComet", "BI": "BiglyBT", "BT": "BitTorrent", "DE": "Deluge",
	"FL": "Flud", "KT": "KTorrent", "LT": "libtorrent", "lt": "rTorrent", "qB": "qBittorrent", "SD": "Thunder",
	"TD": "tandem", "TR": "Transmission", "UM": "µTorrent Mac", "UT": "µTorrent", "WW": "WebTorrent", "XL": "Xunlei",
}

// ClientName names the program behind a peer ID, for people; the name in the
// extension handshake, if there is one, says it better.
func ClientName(id [20]byte) string {
	if id[0] == '-' && id[7] == '-' {
		name := clients[string(id[1:3])]
		if name == "" {
			name = Printable(id[1:3])
		}
		version := Printable(id[3:7])
		return name + " " + strings.Join(strings.Split(version, ""), ".")
	}
	if rest, ok := strings.CutPrefix(string(id[:]), "A2-"); ok { // A2-1-36-0-random
		if part := strings.SplitN(rest, "-", 4); len(part) == 4 {
			return "aria2 " + Printable([]byte(strings.Join(part[:3], ".")))
		}
	}
	return Printable(id[:8])
}

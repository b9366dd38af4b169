package tcp

import "strings"

// protocol is what a connection speaks.
type protocol uint8

const (
	protoUnknown protocol = iota // more bytes are needed
	protoPlain                   // BitTorrent in the clear
	protoTLS
	protoHTTP
	protoMSE // nothing else fits: its first bytes are a random-looking public key
)

var protocolNames = [...]string{"unknown protocol", "plain BitTorrent", "TLS", "HTTP", "encrypted BitTorrent"}

func (p protocol) String() string { return protocolNames[p] }

const (
	btHeader = "\x13BitTorrent protocol"
	maxSniff = len(btHeader)
)

// Methods of HTTP and WebDAV, each with the space after it, and the preface of
// HTTP/2.
var httpMethods = []string{
	"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ",
	"PROPFIND ", "PROPPATCH ", "MKCOL ", "COPY ", "MOVE ", "LOCK ", "UNLOCK ", "PRI ",
}

// sniff tells what b, the first bytes of a connection, is the start of. It is
// protoUnknown only while another byte can make a difference, which none can
// after maxSniff. A public key of MSE that happens to look like something else
// is taken for that: one in 65,536, and its owner tries again.
func sniff(b []byte) protocol {
	if len(b) == 0 {
		return protoUnknown
	}
	if p := match(b, btHeader, protoPlain); p != protoMSE {
		return p
	}
	if p := match(b, "\x16\x03", protoTLS); p != protoMSE {
		return p
	}
	for _, m := range httpMethods {
		if p := match(b, m, protoHTTP); p != protoMSE {
			return p
		}
	}
	return protoMSE
}

// match returns p when b starts with prefix, protoUnknown when it may once there
// is more of it, protoMSE when it never will.
func match(b []byte, prefix string, p protocol) protocol {
	switch {
	case len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix:
		return p
	case len(b) < len(prefix) && strings.HasPrefix(prefix, string(b)):
		return protoUnknown
	}
	return protoMSE
}

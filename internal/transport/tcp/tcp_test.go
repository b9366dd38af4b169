package tcp_test

import (
	"testing"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/tlspeer"
	"tandem/internal/transport/transporttest"
)

// preface is how a plain connection begins.
const preface = "\x13BitTorrent protocol"

var (
	public = transport.Target{Audience: peer.Public, Key: content.SHA1{7}}
	hidden = transport.Target{Audience: peer.Public, Key: content.SHA1{7}, MSE: true}
	link   = transport.Target{Audience: peer.Link, Key: content.SHA1{8}, Secret: transport.Secret{5}}
)

func identity(tb testing.TB) *tlspeer.Identity {
	tb.Helper()
	id, err := tlspeer.NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// network makes one with an identity of its own.
func network(tb testing.TB, cfg tcp.Config) (*tcp.Network, peer.ID) {
	tb.Helper()
	id := identity(tb)
	cfg.TLS = &tlspeer.Config{Identity: id}
	return tcp.New(cfg), id.ID()
}

func TestContract(t *testing.T) {
	tests := []struct {
		name       string
		encryption transport.Encryption
		rig        transporttest.Rig
	}{
		{"plain", transport.PreferPlain, transporttest.Rig{
			Target: public, Path: transport.PathPlain, Preface: preface,
		}},
		{"plain, encryption forbidden", transport.ForbidMSE, transporttest.Rig{
			Target: public, Path: transport.PathPlain, Preface: preface,
		}},
		{"encrypted handshake, payload in the clear", transport.PreferPlain, transporttest.Rig{
			Target: hidden, Path: transport.PathMSE, KeyIn: true, KeyOut: true,
		}},
		{"encrypted payload", transport.RequireMSE, transporttest.Rig{
			Target: public, Path: transport.PathMSE, KeyIn: true, KeyOut: true,
		}},
		{"link", transport.PreferPlain, transporttest.Rig{
			Target: link, Path: transport.PathTLS, KeyIn: true, KeyOut: true,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Rig {
				r := tt.rig
				r.Dialer, r.DialerID = network(t, tcp.Config{Encryption: tt.encryption})
				r.Listener, r.ListenerID = network(t, tcp.Config{Encryption: tt.encryption})
				r.Addr = "127.0.0.1:0"
				if r.Target.Audience == peer.Link {
					r.Target.Want = r.ListenerID
				}
				return r
			})
		})
	}
}

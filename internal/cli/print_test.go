package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/node"
	"tandem/internal/peer"
)

// statusItems are what a node could have.
func statusItems() []node.Snapshot {
	full := someItem().s
	full.Audience, full.Path, full.Link, full.Limit = "link", "/home/a/\x1b[2J", "tandem:AbC", "the swarm's upload"
	full.Pieces, full.Wanted, full.FromPeers, full.Uploaded, full.Copies = 16, 1024, 1<<20, 3<<19, 1.25
	full.Finders = map[string]string{"lan": "ok", "dht": "timeout\r"}
	full.Peers = []node.PeerSnapshot{
		{Name: "slow\x07", Addr: "192.0.2.1:7741", Path: "tcp", DownRate: 1000, Pieces: 12, Client: "\u202eevil"},
		{Name: "fast", Addr: "[2001:db8::1]:6881", Path: "tls", DownRate: 2e6, UpRate: 1e6, Seeder: true, Client: "tandem"},
	}
	return []node.Snapshot{
		full,
		{ID: "00000001", Kind: node.KindShare, State: "seeding", Name: "empty"},
		{ID: "00000002", Kind: node.KindGet, State: "metadata", Name: ""},
		hybridItem(),
		{ID: "00000003", Kind: node.KindGet, State: "paused", Name: "big", Error: "no space", Bytes: 1, Total: 3},
	}
}

// hybridItem has a server that is away, and lacks pieces.
func hybridItem() node.Snapshot {
	return node.Snapshot{
		ID: "00000004", Kind: node.KindKeep, Audience: "link", State: "downloading", Name: "film", Bytes: 60 << 20, Total: 64 << 20,
		Pieces: 60, Wanted: 64, FromPeers: 53 << 20, FromLAN: 12 << 20, FromOrigin: 7 << 20, Best: 0.934, Via: "both",
		Server: "files.example", Notice: "the server does not answer\x1b", Holders: 2,
		Origins: []node.OriginSnapshot{{Name: "files.example", Bytes: 7 << 20, State: "unreachable", Error: "connection refused"}},
		Lost:    []node.LostSnapshot{{First: 17, Last: 19, Holder: "rud6di36"}, {First: 40, Last: 40}},
		Upload:  &node.UploadStatus{Total: 64 << 20, Done: 1 << 20, State: "waiting"},
	}
}

func TestStatusForPeople(t *testing.T) {
	var out bytes.Buffer
	printItems(&out, nil)
	printItems(&out, statusItems())
	for _, s := range statusItems() {
		out.WriteByte('\n')
		printItem(&out, s)
	}
	golden(t, "status.txt", out.Bytes())
	if strings.IndexFunc(strings.ReplaceAll(out.String(), "\n", ""), unsafe) >= 0 {
		t.Error("a name steers the terminal")
	}
}

func TestInspectTicketsForPeople(t *testing.T) {
	ticket := &metainfo.Ticket{InfoHash: content.Hash{1}, Node: peer.ID{2}, Name: "film", NotAfter: start}
	src, err := node.ParseSource(ticket.String())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	in := inspect(src)
	in.print(&out, src)
	for _, want := range []string{"name          film", "audience      link", "infohash v2   01000000", "valid until   2026-01-02"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "infohash v1") || strings.Contains(out.String(), "size") {
		t.Errorf("it tells what a ticket does not know:\n%s", out.String())
	}
}

func TestJSONKeepsValuesAndSteersNoTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.String().Draw(t, "text") + rapid.SampledFrom([]string{"", "\u009b", "\u202e", "\x1b", "\U000e0001", "&", "\U0010fffd"}).Draw(t, "tail")
		var out bytes.Buffer
		writeJSON(&out, warningEvent{"warning", want})
		line, ok := strings.CutSuffix(out.String(), "\n")
		if !ok || strings.IndexFunc(line, unsafe) >= 0 {
			t.Fatalf("%q is not one safe line", out.String())
		}
		var got warningEvent
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Message != want {
			t.Fatalf("%q came back as %q, %v", want, got.Message, err)
		}
	})
}

func TestColourOnlyWhereItIsWanted(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		noColor  string
		want     string
	}{
		{"on a terminal", true, "", "\x1b[1merror: \x1b[0m"},
		{"not with NO_COLOR", true, "1", "error: "},
		{"not into a file", false, "", "error: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &app{stderr: io.Discard, terminal: c.terminal, getenv: env(map[string]string{"NO_COLOR": c.noColor})}
			if got := a.bold("error: "); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestALinkTooLongForAQRCodeIsSaid(t *testing.T) {
	var out bytes.Buffer
	printQR(&out, strings.Repeat("x", 5000))
	if !strings.HasPrefix(out.String(), "warning: ") {
		t.Fatalf("got %.80q", out.String())
	}
}

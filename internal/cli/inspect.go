package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/node"
	"tandem/internal/units"
)

// inspection is what inspect --json prints; its keys are a contract.
type inspection struct {
	Name        string          `json:"name"`
	InfoHash1   string          `json:"infohash_v1,omitempty"`
	InfoHash2   string          `json:"infohash_v2,omitempty"`
	PieceLength int64           `json:"piece_length"`
	TotalBytes  int64           `json:"total_bytes"`
	Files       []inspectedFile `json:"files"`
	Private     bool            `json:"private"`
	Unsorted    bool            `json:"unsorted,omitempty"` // some dictionary of it has unsorted keys
	Audience    string          `json:"audience"`
	Trackers    []string        `json:"trackers,omitempty"`
	Peers       []string        `json:"peers,omitempty"`
	ServerKey   string          `json:"server_key,omitempty"`
	NodesServe  *time.Time      `json:"nodes_serve_until,omitempty"` // to who holds the link, if no server renews it
	ValidUntil  *time.Time      `json:"valid_until,omitempty"`
}

type inspectedFile struct {
	Path   string `json:"path"`
	Length int64  `json:"length"`
}

func (a *app) inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect SOURCE",
		Short: "Tell what a link, a ticket, a magnet link or a .torrent file names",
		Example: `  tandem inspect film.torrent
  tandem inspect 'https://files.example/s/AbC...#tandem:...'
  tandem inspect --json 'magnet:?xt=urn:btih:...'`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := inside(args[0])
			if err != nil {
				return err
			}
			src, err := node.ParseSource(source)
			if err != nil {
				return hintInvalid("give a link, a ticket, a magnet link or a .torrent file; if this is one, it is damaged: get it again", hintLink(source, err))
			}
			in := inspect(src)
			if a.json {
				writeJSON(a.stdout, in)
				return nil
			}
			in.print(a.stdout, src)
			return nil
		},
	}
}

// inside returns what stands behind the # of a server's link, and any other source as it is.
func inside(source string) (string, error) {
	switch url, fragment := metainfo.SplitLink(source); {
	case fragment != "":
		return fragment, nil
	case url != "":
		return "", withHint("ask it: tandem get LINK, or open it in a browser",
			fault.Errorf(fault.Invalid, "this link has no ticket behind a #: what it leads to only its server knows"))
	}
	return source, nil
}

// inspect tells what is known of a source without asking anybody.
func inspect(src *node.Source) inspection {
	in := inspection{Name: src.Name, Files: []inspectedFile{}, Audience: src.Audience.String(), Peers: slices.Clone(src.Peers)}
	for _, tier := range src.Trackers {
		in.Trackers = append(in.Trackers, tier...)
	}
	switch {
	case src.Torrent != nil:
		m := src.Torrent.Manifest
		in.hashes(m.InfoHash1, m.InfoHash2)
		in.PieceLength, in.TotalBytes = m.PieceLength, m.TotalBytes()
		in.Private, in.Unsorted = m.Private, src.Torrent.Unsorted
		for i, f := range m.Files {
			if !f.Pad {
				in.Files = append(in.Files, inspectedFile{node.FilePath(m, i), f.Length})
			}
		}
	case src.Magnet != nil:
		in.hashes(src.Magnet.InfoHash1, src.Magnet.InfoHash2)
		in.TotalBytes = src.Magnet.Length
	case src.Ticket != nil:
		in.hashes(content.SHA1{}, src.Ticket.InfoHash)
		in.admission(src.Ticket)
	}
	return in
}

// admission tells what a ticket says of its server, and until when it is good for what.
func (in *inspection) admission(t *metainfo.Ticket) {
	if !t.Server.IsZero() {
		in.ServerKey = t.Server.String()
	}
	if v, err := capability.Parse(t.Capability, t.Server); err == nil {
		if c, ok := v.(capability.Capability); ok {
			in.NodesServe = &c.NotAfter
		}
	}
	if !t.NotAfter.IsZero() {
		in.ValidUntil = &t.NotAfter
	}
	for _, addr := range t.Addrs {
		in.Peers = append(in.Peers, addr.String())
	}
}

func (in *inspection) hashes(one content.SHA1, two content.Hash) {
	if !one.IsZero() {
		in.InfoHash1 = hex.EncodeToString(one[:])
	}
	if !two.IsZero() {
		in.InfoHash2 = hex.EncodeToString(two[:])
	}
}

func (in *inspection) print(w io.Writer, src *node.Source) {
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-14s%s\n", key, clean(value))
		}
	}
	row("name", in.Name)
	row("audience", in.Audience)
	row("infohash v1", in.InfoHash1)
	row("infohash v2", in.InfoHash2)
	if in.TotalBytes > 0 || src.Torrent != nil {
		row("size", fmt.Sprintf("%s (%d bytes)", units.Bytes(in.TotalBytes), in.TotalBytes))
	}
	if src.Torrent != nil {
		row("piece length", units.Bytes(in.PieceLength))
		row("pieces", fmt.Sprint(src.Torrent.Manifest.NumPieces()))
		row("comment", src.Torrent.Comment)
		row("created by", src.Torrent.CreatedBy)
	}
	if in.Private {
		row("private", "yes: found through its trackers only")
	}
	for _, url := range in.Trackers {
		row("tracker", url)
	}
	for _, p := range src.Peers {
		row("peer", p)
	}
	if t := src.Ticket; t != nil {
		row("server key", in.ServerKey)
		if in.NodesServe != nil {
			row("nodes serve", "holders until "+in.NodesServe.Format("2006-01-02 15:04:05 MST")+", longer while they reach the server")
		}
		for _, addr := range t.Addrs {
			row("sharer", addr.String())
		}
		if in.ValidUntil != nil {
			row("valid until", in.ValidUntil.Format("2006-01-02 15:04:05 MST"))
		}
	}
	if in.Unsorted {
		row("note", "keys of a dictionary are not sorted, which the format asks for")
	}
	for _, f := range in.Files {
		row("file", fmt.Sprintf("%s (%s)", f.Path, units.Bytes(f.Length)))
	}
}

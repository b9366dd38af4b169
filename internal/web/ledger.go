package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

// ledger shows how many bytes came from the server, and how many from peers.
func (v *visit) ledger() error {
	p := ledgerPage{By: orElse(v.r.URL.Query().Get("by"), "share"), All: v.who.Subject.Role == policy.Admin}
	if !offers(ledgers(), p.By) {
		return fault.Errorf(fault.NotFound, "there is no ledger by that")
	}
	var err error
	if p.Lines, err = v.origin.Ledger(v.ctx(), v.who, p.By); err != nil {
		return err
	}
	return v.show(http.StatusOK, ledgerView(v.shell("Ledger", "ledger"), p))
}

// ledgers are the ways to add up.
func ledgers() []option {
	return []option{{"share", "By share"}, {"user", "By person"}, {"transfer", "By transfer"}}
}

func (p ledgerPage) lead() string {
	if p.All {
		return "How much of what people here fetched came from this server, and how much from other nodes."
	}
	return "How much of your shares and downloads came from this server, and how much from other nodes."
}

func (p ledgerPage) head() string {
	switch p.By {
	case "user":
		return "Person"
	case "transfer":
		return "Transfer"
	}
	return "Share"
}

func total(s origin.Served) int64 { return s.Server + s.LAN + s.Peers }

// servedPart is one length of a bar of 1,000.
type servedPart struct{ Of, X, Width string }

type source struct {
	of    string
	bytes int64
}

// hair is the least of a bar of 1,000 that is seen.
const hair = 8

// servedParts cuts a bar. What is there at all is at least a hair wide.
func servedParts(s origin.Served) []servedPart {
	all := slices.DeleteFunc([]source{{"server", s.Server}, {"lan", s.LAN}, {"peers", s.Peers}}, func(p source) bool { return p.bytes <= 0 })
	free := 1000 - float64(hair*len(all))
	var parts []servedPart
	at := 0.0
	for _, p := range all {
		width := hair + free*float64(p.bytes)/float64(total(s))
		parts = append(parts, servedPart{p.of, tenth(at), tenth(width)})
		at += width
	}
	return parts
}

func tenth(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// servedWords is the bar for those who do not see it.
func servedWords(s origin.Served) string {
	all := total(s)
	if all <= 0 {
		return "nothing was served"
	}
	var words []string
	for _, p := range []source{{"the server", s.Server}, {"peers on the same LAN", s.LAN}, {"other peers", s.Peers}} {
		if p.bytes > 0 {
			words = append(words, fmt.Sprintf("%.0f %% from %s", 100*float64(p.bytes)/float64(all), p.of))
		}
	}
	return strings.Join(words, ", ")
}

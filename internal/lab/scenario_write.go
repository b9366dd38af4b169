package lab

import (
	"fmt"
	"strconv"
	"strings"

	"tandem/internal/units"
)

// Write writes a scenario as TOML. What Complete has accepted reads back as the same.
func Write(s Scenario) []byte {
	w := new(writer)
	w.text("name", s.Name)
	w.text("about", s.About)
	w.text("use", s.Use)
	w.line("size", quoted(sizeText(s.Size)))
	w.some("piece", quoted(sizeText(s.Piece)), s.Piece != 0)
	w.span("latency", s.Latency)
	w.share("payload", s.Payload)
	w.list("models", s.Models)
	w.list("worlds", s.Worlds)
	w.some("repeats", strconv.Itoa(s.Repeats), s.Repeats != 0)
	w.some("seed", strconv.FormatUint(s.Seed, 10), s.Seed != 0)

	w.table("[origin]")
	w.some("count", strconv.Itoa(s.Origin.Count), s.Origin.Count != 0)
	w.line("up", rateText(s.Origin.Up))
	w.share("copies", s.Origin.Copies)
	w.span("mttf", s.Origin.MTTF)
	w.span("mttr", s.Origin.MTTR)
	for _, g := range s.Receivers {
		w.table("[[receivers]]")
		w.text("name", g.Name)
		w.line("count", strconv.Itoa(g.Count))
		w.line("up", rateText(g.Up))
		w.line("down", rateText(g.Down))
	}
	w.table("[arrivals]")
	w.text("kind", s.Arrivals.Kind)
	w.share("rate", s.Arrivals.Rate)
	w.table("[stay]")
	w.text("kind", s.Stay.Kind)
	w.span("for", s.Stay.For)
	w.rest(s)
	return []byte(w.out.String())
}

func (w *writer) rest(s Scenario) {
	w.table("[sessions]")
	w.span("mean", s.Sessions.Mean)
	w.share("shape", s.Sessions.Shape)
	w.span("away", s.Sessions.Away)
	for _, k := range s.Kills {
		w.table("[[kill]]")
		w.text("who", k.Who)
		w.share("share", k.Share)
		w.line("at", number(k.At))
	}
	w.table("[hostile]")
	w.share("poisoners", s.Hostile.Poisoners)
	w.share("free_riders", s.Hostile.FreeRiders)
	w.share("unreachable", s.Hostile.Unreachable)
	if p := s.Prices; p != (Prices{}) {
		w.table("[prices]")
		w.line("egress", number(p.Egress))
		w.line("peer", number(p.Peer))
		w.line("server", number(p.Server))
		w.line("storage", number(p.Storage))
		w.line("staff", number(p.Staff))
	}
	w.table("[needs]")
	w.span("deadline", s.Needs.Deadline)
	w.share("availability", s.Needs.Availability)
	w.span("revocation", s.Needs.Revocation)
	w.flag("audit", s.Needs.Audit)
	w.flag("no_upload", s.Needs.NoUpload)
	w.flag("no_server", s.Needs.NoServer)
	w.flag("outlive", s.Needs.Outlive)
}

// writer writes keys; a table's line only with its first key.
type writer struct {
	out    strings.Builder
	header string
}

func (w *writer) table(header string) { w.header = header }

func (w *writer) line(key, value string) {
	if w.header != "" {
		w.out.WriteString("\n" + w.header + "\n")
		w.header = ""
	}
	w.out.WriteString(key + " = " + value + "\n")
}

func (w *writer) some(key, value string, said bool) {
	if said {
		w.line(key, value)
	}
}

func (w *writer) text(key, v string)          { w.some(key, quoted(v), v != "") }
func (w *writer) share(key string, v float64) { w.some(key, number(v), v != 0) }
func (w *writer) span(key string, v Duration) { w.some(key, quoted(v.String()), v != 0) }
func (w *writer) flag(key string, v bool)     { w.some(key, "true", v) }

func (w *writer) list(key string, all any) {
	var names []string
	switch all := all.(type) {
	case []Model:
		for _, m := range all {
			names = append(names, quoted(string(m)))
		}
	case []Place:
		for _, p := range all {
			names = append(names, quoted(string(p)))
		}
	}
	w.some(key, "["+strings.Join(names, ", ")+"]", len(names) > 0)
}

// quoted writes a TOML string.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(text, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// sizeText writes a size in the largest unit that has no fraction.
func sizeText(v units.Size) string {
	for _, u := range []struct {
		name string
		size units.Size
	}{{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}} {
		if v != 0 && v%u.size == 0 {
			return strconv.FormatInt(int64(v/u.size), 10) + u.name
		}
	}
	return v.String()
}

// rateText writes a rate as a TOML value; those of links are usually given in bits.
func rateText(v units.Rate) string {
	switch {
	case v == 0:
		return "0"
	case v%125e6 == 0:
		return fmt.Sprintf(`"%dGbit"`, v/125e6)
	case v%125e3 == 0:
		return fmt.Sprintf(`"%dMbit"`, v/125e3)
	}
	return quoted(v.String())
}

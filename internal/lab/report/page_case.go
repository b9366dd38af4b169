package report

import (
	"fmt"
	"strings"
	"time"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// theCase says in words what is to be brought to whom.
func theCase(s lab.Scenario) []fact {
	out := []fact{
		{"What", fmt.Sprintf("%s, in pieces of %s", units.Bytes(int64(s.Size)), units.Bytes(int64(s.Piece)))},
		{"Origin", originWords(s.Origin)},
		{"To whom", receiverWords(s)},
		{"Arrivals", arrivalWords(s.Arrivals)},
		{"Afterwards", stayWords(s.Stay)},
	}
	add := func(name, text string) {
		if text != "" {
			out = append(out, fact{name, text})
		}
	}
	if s.Sessions.Mean > 0 {
		text := fmt.Sprintf("a receiver stays online for %s on average (Weibull, shape %s)", span(s.Sessions.Mean), number(s.Sessions.Shape))
		add("Churn", text+choose(s.Sessions.Away > 0, ", then is away for "+span(s.Sessions.Away), ", then is gone"))
	}
	add("Failures", killWords(s.Kills))
	add("Mischief", mischiefWords(s.Hostile))
	add("Needs", needWords(s.Needs))
	add("Prices", fmt.Sprintf("%s per GB out of the origin, %s per GB out of a receiver, %s per server hour, %s per GB and month, %s per hour of staff",
		dollars(s.Prices.Egress), dollars(s.Prices.Peer), dollars(s.Prices.Server), dollars(s.Prices.Storage), dollars(s.Prices.Staff)))
	return out
}

func span(d lab.Duration) string { return seconds(time.Duration(d)) }

func originWords(o lab.Origin) string {
	text := fmt.Sprintf("%s up", units.Bits(float64(o.Up)))
	if o.Count > 1 {
		text = fmt.Sprintf("%d origins with %s up each", o.Count, units.Bits(float64(o.Up)))
	}
	if o.Copies > 0 {
		text += fmt.Sprintf("; in the hybrid it gives at most %s copies to a crowd", number(o.Copies))
	}
	return text
}

func receiverWords(s lab.Scenario) string {
	text := plural(s.N(), "receiver")
	if len(s.Receivers) == 1 {
		g := s.Receivers[0]
		text += fmt.Sprintf(", each with %s up and %s down", units.Bits(float64(g.Up)), units.Bits(float64(g.Down)))
	} else if len(s.Receivers) > 1 {
		text += fmt.Sprintf(" in %d groups", len(s.Receivers))
	}
	return text
}

// groups is the table of receivers where they differ.
func groups(s lab.Scenario) section {
	if len(s.Receivers) < 2 {
		return section{}
	}
	t := sheet{head: []string{"Group", "receivers", "up", "down"}}
	for i, g := range s.Receivers {
		t.rows = append(t.rows, []string{
			or(clean(g.Name, 40), fmt.Sprintf("group %d", i+1)), grouped(int64(g.Count)),
			units.Bits(float64(g.Up)), units.Bits(float64(g.Down)),
		})
	}
	return t.section("Receivers", "")
}

func arrivalWords(a lab.Arrivals) string {
	if a.Kind == "poisson" {
		return fmt.Sprintf("at random, %s per second on average", number(a.Rate))
	}
	return "all at once"
}

func stayWords(s lab.Stay) string {
	switch s.Kind {
	case "for":
		return "each stays for " + span(s.For) + " and serves"
	case "end":
		return "each stays until all have it"
	}
	return "each leaves as soon as it has everything"
}

func killWords(kills []lab.Kill) string {
	var parts []string
	for _, k := range kills {
		who := "the origin is killed"
		switch {
		case k.Who == "peers":
			who = percent(k.Share) + " of the receivers are killed"
		case k.Share > 0 && k.Share < 1:
			who = percent(k.Share) + " of the origins are killed"
		}
		parts = append(parts, fmt.Sprintf("%s when %s of all bytes have arrived", who, percent(k.At)))
	}
	return strings.Join(parts, "; ")
}

func mischiefWords(m lab.Mischief) string {
	var parts []string
	for _, p := range []struct {
		share float64
		text  string
	}{
		{m.Poisoners, "send wrong bytes"},
		{m.FreeRiders, "give nothing"},
		{m.Unreachable, "cannot be dialled"},
	} {
		if p.share > 0 {
			parts = append(parts, percent(p.share)+" "+p.text)
		}
	}
	return list(parts)
}

func needWords(n lab.Needs) string {
	var parts []string
	add := func(set bool, text string) {
		if set {
			parts = append(parts, text)
		}
	}
	add(n.Deadline > 0, "the last receiver has it within "+span(n.Deadline))
	add(n.Availability > 0, "it can be had with a probability of "+availability(n.Availability))
	add(n.Revocation > 0, "access ends within "+span(n.Revocation))
	add(n.Audit, "every download is on record")
	add(n.NoUpload, "receivers do not upload")
	add(n.NoServer, "no server has to be trusted")
	add(n.Outlive, "it goes on when the origin dies")
	return strings.Join(parts, "; ")
}

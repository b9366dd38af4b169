package archtest

import (
	"go/token"
	"strings"
)

// The floors. A floor never imports a higher one.
const (
	words     = 1
	decisions = 2
	doors     = 3
	engines   = 4
	assembly  = 5
	wing      = 6 // the lab: beside the house, only cli looks in
	outside   = 7 // cmd, test and archtest itself
)

// floorOf returns the floor a room stands on, 0 for a room nobody planned.
func floorOf(room string) int {
	switch room {
	case "fault", "bencode", "content", "metainfo", "peer", "wire", "capability", "units":
		return words
	case "pick", "choke", "request", "swarm", "admit", "policy":
		return decisions
	case "store", "catalog", "transport", "discover":
		return doors
	case "transfer", "origin":
		return engines
	case "node", "web", "cli":
		return assembly
	case "lab":
		return wing
	case "archtest":
		return outside
	}
	return 0
}

// place is where a package of the module stands.
type place struct {
	room  string // "" outside internal
	sub   string // the rest of the path: a driver of a door, a part of the lab
	floor int    // 0 for a room nobody planned
}

// placeOf returns the place of a directory, from the module's root.
func placeOf(dir string) place {
	rest, ok := strings.CutPrefix(dir, "internal/")
	if !ok {
		return place{floor: outside}
	}
	room, sub, _ := strings.Cut(rest, "/")
	return place{room, sub, floorOf(room)}
}

func (p *pkg) room() string { return placeOf(p.dir).room }

// driver reports whether p is a driver of a door.
func (p place) driver() bool { return p.floor == doors && p.sub != "" }

func roomRules() []rule {
	return []rule{
		{
			"room", "a room is planned in docs/architecture.md and in archtest before anything moves in",
			checkRooms,
		},
		{
			"floor", "imports go downwards only, so that every floor can be tested without those above it",
			eachImport(func(from, to place) string {
				if from.floor <= assembly && to.floor <= assembly && to.floor > from.floor {
					return "a room on a lower floor"
				}
				return ""
			}),
		},
		{
			"sibling", "rooms on one floor are replaced one at a time; swarm alone combines pick, choke and request",
			eachImport(checkSibling),
		},
		{
			"driver", "everybody knows the contract; only node knows which driver is behind it",
			eachImport(func(from, to place) string {
				if to.driver() && from.room != to.room && from.room != "node" && from.floor != outside {
					return "the room " + from.room
				}
				if to.driver() && from.room == to.room && from.sub == "" {
					return "the contract of its own driver"
				}
				return ""
			}),
		},
		{
			"lab", "the lab measures the product and must not become a part of it",
			eachImport(checkLab),
		},
		{
			"front door", "main only calls cli.Run, so that commands can be tested without a process",
			checkFrontDoor,
		},
	}
}

// eachImport returns a check of every import of the module's own packages by
// code that is not a test. judge names who may not import it, or "".
func eachImport(judge func(from, to place) string) func(*tree, reporter) {
	return func(t *tree, report reporter) {
		for _, p := range t.pkgs {
			if p.suite() {
				continue
			}
			for _, f := range p.code() {
				for at, imp := range f.imported {
					dir, ours := strings.CutPrefix(imp, module)
					if !ours {
						continue
					}
					if who := judge(placeOf(p.dir), placeOf(dir)); who != "" {
						report(f, at, "%s imports %s", who, imp)
					}
				}
			}
		}
	}
}

func checkRooms(t *tree, report reporter) {
	for _, p := range t.pkgs {
		top, _, _ := strings.Cut(p.dir, "/")
		switch {
		case top != "cmd" && top != "internal" && top != "test" && p.dir != "scenarios": // embeds what stands there for people
			report(p.first(), token.NoPos, "code at %s, beside cmd, internal and test", p.dir)
		case placeOf(p.dir).floor == 0:
			report(p.first(), token.NoPos, "nobody planned the room %s", p.room())
		}
	}
}

func checkSibling(from, to place) string {
	if from.room == to.room || from.floor != to.floor {
		return ""
	}
	switch from.floor {
	case decisions:
		if from.room == "swarm" && (to.room == "pick" || to.room == "choke" || to.room == "request") {
			return ""
		}
		return "the decision " + from.room
	case doors:
		return "the door " + from.room
	case engines:
		return "the engine " + from.room
	case assembly:
		if from.room == "node" { // web and cli show what node runs
			return "the room node"
		}
	}
	return ""
}

func checkLab(from, to place) string {
	if to.floor == wing && from.floor <= assembly && from.room != "cli" {
		return "the room " + from.room
	}
	if from.floor != wing || to.floor == wing {
		return ""
	}
	highest := map[string]int{"bound": words, "sim": decisions, "real": words, "report": words}
	limit, ok := highest[from.sub]
	if !ok {
		limit = decisions
	}
	if to.floor > limit {
		return "the lab's " + from.sub
	}
	return ""
}

func checkFrontDoor(t *tree, report reporter) {
	const longest = 50
	for _, p := range t.pkgs {
		if !strings.HasPrefix(p.dir, "cmd/") {
			continue
		}
		for _, f := range p.code() {
			if n := codeLines(f); n > longest {
				report(f, token.NoPos, "%d lines of code, at most %d", n, longest)
			}
			for at, imp := range f.imported {
				if strings.HasPrefix(imp, module) && imp != module+"internal/cli" {
					report(f, at, "main imports %s", imp)
				}
			}
		}
	}
}

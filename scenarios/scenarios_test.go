package scenarios

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"tandem/internal/lab"
)

func TestEveryShippedScenarioReadsAndCompletes(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			text, err := Read(name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := lab.Read(name+".toml", text)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Complete(); err != nil {
				t.Fatal(err)
			}
			if s.Name != name || s.About == "" || s.Use == "" {
				t.Errorf("name %q, about %q, use %q", s.Name, s.About, s.Use)
			}
		})
	}
}

func TestThePromisedScenariosAreThere(t *testing.T) {
	names := Names()
	for _, want := range []string{
		"office-lan", "classroom", "software-release", "cluster-dataset",
		"rare-archive", "disaster", "home-links", "hostile-swarm",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %v", want, names)
		}
	}
}

// Whoever changes a figure should find beside it what it was taken from.
func TestEveryFigureHasAReasonBesideIt(t *testing.T) {
	for _, name := range Names() {
		text, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		paragraphs := strings.Split(strings.TrimSpace(string(text)), "\n\n")
		if !strings.HasPrefix(paragraphs[0], "# ") || !strings.Contains(paragraphs[0], ".\n#\n# ") {
			t.Errorf("%s does not begin with a caption and what it is about", name)
		}
		for _, p := range paragraphs {
			if !strings.Contains("\n"+p, "\n# ") {
				t.Errorf("%s gives no reason for\n%s", name, p)
			}
		}
	}
}

func TestEveryKeyInUseIsOnTheFormatsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol/scenario.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		text, _ := Read(name)
		for line := range strings.Lines(string(text)) {
			key, _, found := strings.Cut(line, " = ")
			if found && !strings.HasPrefix(line, "#") && !strings.Contains(string(page), "| `"+key+"` |") {
				t.Errorf("%s uses %s", name, key)
			}
		}
	}
}

func TestAScenarioThatIsNotThereIsNotExist(t *testing.T) {
	if _, err := Read("moon"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

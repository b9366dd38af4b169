package scenarios

import (
	"slices"
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

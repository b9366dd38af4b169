// Package scenarios has the lab's shipped scenarios, one commented TOML file each, for
// tandem compare NAME and tandem lab scenarios. Their format is docs/protocol/scenario.md.
package scenarios

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.toml
var FS embed.FS

// Names returns the scenarios' names, sorted. The file of one is NAME.toml in FS.
func Names() []string {
	files, err := fs.Glob(FS, "*.toml")
	if err != nil {
		return nil // the pattern is right, and FS does not fail
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".toml")
	}
	return files
}

// Read returns the file of a scenario; fs.ErrNotExist when there is none of that name.
func Read(name string) ([]byte, error) { return FS.ReadFile(name + ".toml") }

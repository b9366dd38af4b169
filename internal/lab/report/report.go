// Package report shows what a comparison found: a page, plots, tables and the terminal's
// lines.
//
// The page stands alone: styles and plots are inside it, nothing is fetched and nothing
// runs. It reads in light and dark, on a phone, on paper and without colour, and every
// plot has its figures beside it. Plots: gonum.org/v1/plot. Colours: Okabe and Ito,
// chosen so that the colour-blind tell them apart.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// Write writes the report of c into dir, which it makes if need be, and returns the
// paths of the files in the order a reader wants them: report.html, results.json (c
// itself), results.csv (one line per run), table.csv, then each plot as .svg and .png.
// A file appears whole or not at all; other files in dir are left alone. Errors are
// those of the file system, or fault.Invalid where c cannot be written as JSON.
func Write(dir string, c *lab.Comparison) (paths []string, err error) {
	if c == nil {
		return nil, fault.Errorf(fault.Invalid, "report: no comparison")
	}
	out, err := files(c, resolution)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "report: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	for _, f := range out {
		path := filepath.Join(dir, f.name)
		if err := put(path, f.text); err != nil {
			return paths, fmt.Errorf("report: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// resolution is that of the pictures, in dots per inch: sharp on a slide.
const resolution = 144

// files makes everything before anything is written.
func files(c *lab.Comparison, dpi int) ([]file, error) {
	e := evidenceOf(c)
	shown := figures(e)
	var plots []file
	for _, f := range shown {
		for _, p := range f.panels {
			svg, err := p.svg()
			if err != nil {
				return nil, err
			}
			png, err := p.png(dpi)
			if err != nil {
				return nil, err
			}
			plots = append(plots, file{p.name + ".svg", svg}, file{p.name + ".png", png})
		}
	}
	js, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("results.json: %w", err)
	}
	out := append([]file{
		{"results.json", append(js, '\n')}, {"results.csv", resultsCSV(c)}, {"table.csv", tableCSV(c)},
	}, plots...)
	var names []string
	for _, f := range out {
		names = append(names, f.name)
	}
	html, err := makePage(e, shown, names)
	if err != nil {
		return nil, err
	}
	return append([]file{{"report.html", html}}, out...), nil
}

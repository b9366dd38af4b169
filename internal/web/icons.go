package web

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// icons are drawn on 24 by 24 units, by strokes.
var icons = map[string]string{
	"tandem":   `<circle cx="6.5" cy="14" r="4.5"/><circle cx="17.5" cy="14" r="4.5"/><path d="M6.5 14l3-7h5l3 7M9.5 7L12 14l2.5-7"/>`,
	"search":   `<circle cx="11" cy="11" r="6.5"/><path d="M16 16l4.5 4.5"/>`,
	"close":    `<path d="M6 6l12 12M18 6L6 18"/>`,
	"folder":   `<path d="M3 7a2 2 0 0 1 2-2h4l2.5 2.5H19a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z"/>`,
	"file":     `<path d="M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z"/><path d="M14 3v5h5"/>`,
	"shelf":    `<path d="M4 4h16v16H4zM4 9.5h16M4 15h16M9 6.8h6M9 12.2h6M9 17.5h6"/>`,
	"download": `<path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14"/>`,
	"upload":   `<path d="M12 16V5M7.5 9L12 4.5 16.5 9M5 20h14"/>`,
	"link":     `<path d="M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1-1"/>`,
	"more":     `<circle cx="5.500" cy="12" r=".7"/><circle cx="12" cy="12" r=".7"/><circle cx="18.500" cy="12" r=".7"/>`,
	"plus":     `<path d="M12 5v14M5 12h14"/>`,
	"trash":    `<path d="M4 7h16M9 7V4.500h6V7M6.500 7l1 13h9l1-13M10 11v5.500M14 11v5.500"/>`,
	"copy":     `<rect x="8.500" y="8.500" width="11" height="11" rx="1.500"/><path d="M15.500 8.500V5a.5.5 0 0 0-.5-.5H5a.5.5 0 0 0-.5.5v10a.5.5 0 0 0 .5.5h3.500"/>`,
	"lock":     `<rect x="5" y="11" width="14" height="9" rx="1.500"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>`,
	"people":   `<circle cx="9" cy="8.500" r="3.500"/><path d="M2.500 19.500c.6-3.500 3-5.500 6.500-5.500s5.900 2 6.500 5.500M15.500 5.300a3.500 3.500 0 0 1 0 6.400M17.500 14.500c2.200.7 3.600 2.400 4 5"/>`,
	"undo":     `<path d="M8 5L4 9l4 4M4 9h10a5.500 5.500 0 0 1 0 11h-3"/>`,
	"settings": `<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`,
}

// icon draws one for the eye; what it means is in the text or label beside it. The
// drawing itself stands once on the page, in sprite.
func icon(name string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, `<svg class="icon i-`+name+`" aria-hidden="true"><use href="#i-`+name+`"/></svg>`)
		return err
	})
}

// sprite holds every drawing.
func sprite() templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		b.WriteString(`<svg hidden aria-hidden="true">`)
		for _, name := range slices.Sorted(maps.Keys(icons)) {
			b.WriteString(`<symbol id="i-` + name + `" viewBox="0 0 24 24">` + icons[name] + `</symbol>`)
		}
		b.WriteString(`</svg>`)
		_, err := io.WriteString(w, b.String())
		return err
	})
}

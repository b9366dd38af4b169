package content

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tandem/internal/fault"
)

// Limits on names, in bytes and components.
const (
	MaxComponent = 240
	MaxDepth     = 64
	MaxPath      = 1024
)

// CheckPath checks the path of a file below the destination, whoever named it:
// nothing in it may lead elsewhere or show as something it is not. Names that
// only some systems cannot hold pass; see EscapeComponent. Errors are of kind
// fault.Invalid.
func CheckPath(components []string) error {
	if len(components) == 0 {
		return fault.Errorf(fault.Invalid, "path is empty")
	}
	if len(components) > MaxDepth {
		return fault.Errorf(fault.Invalid, "path is %d folders deep, more than %d", len(components), MaxDepth)
	}
	total := len(components) - 1
	for _, c := range components {
		total += len(c)
	}
	if total > MaxPath {
		return fault.Errorf(fault.Invalid, "path is %d bytes long, more than %d", total, MaxPath)
	}
	for _, c := range components {
		if err := checkComponent(c); err != nil {
			return fault.Errorf(fault.Invalid, "path %s: %w", quotePath(components), err)
		}
	}
	return nil
}

func checkComponent(c string) error {
	switch {
	case c == "":
		return fmt.Errorf("name is empty")
	case c == "." || c == "..":
		return fmt.Errorf("name is %q", c)
	case len(c) > MaxComponent:
		return fmt.Errorf("name is %d bytes long, more than %d", len(c), MaxComponent)
	}
	for _, r := range c {
		switch {
		case r == '/' || r == '\\':
			return fmt.Errorf("name %q holds a path separator", c)
		case r < 0x20 || 0x7f <= r && r <= 0x9f:
			return fmt.Errorf("name %q holds a control character", c)
		case 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069:
			return fmt.Errorf("name %q changes the direction of writing", c)
		}
	}
	return nil
}

// quotePath shows a path that may hold anything.
func quotePath(components []string) string {
	s := strings.Join(components, "/")
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// CheckFiles checks the names and lengths of all files of a manifest: each
// path, that no two are the same file, that none is a folder of another, and
// the limits. Names of padding do not matter. Errors are of kind fault.Invalid.
func CheckFiles(files []File) error {
	if len(files) == 0 {
		return fault.Errorf(fault.Invalid, "there are no files")
	}
	if len(files) > 2*MaxFiles { // a pad for each
		return fault.Errorf(fault.Invalid, "there are %d files, more than %d", len(files), MaxFiles)
	}
	const most = int64(MaxPieces) * MaxPieceLength
	var total int64
	paths := make([][]string, 0, len(files))
	for i := range files {
		f := &files[i]
		if f.Length < 0 || f.Length > most-total {
			return fault.Errorf(fault.Invalid, "path %s: length %d is out of range", quotePath(f.Path), f.Length)
		}
		total += f.Length
		if f.Pad {
			continue
		}
		if err := CheckPath(f.Path); err != nil {
			return err
		}
		paths = append(paths, f.Path)
	}
	if len(paths) > MaxFiles {
		return fault.Errorf(fault.Invalid, "there are %d files, more than %d", len(paths), MaxFiles)
	}
	return checkCollisions(paths)
}

// checkCollisions sorts paths, which brings a file next to its double and to
// what would have to stand below it.
func checkCollisions(paths [][]string) error {
	slices.SortFunc(paths, ComparePaths)
	for i := 1; i < len(paths); i++ {
		a, b := paths[i-1], paths[i]
		if len(a) > len(b) || !slices.Equal(a, b[:len(a)]) {
			continue
		}
		if len(a) == len(b) {
			return fault.Errorf(fault.Invalid, "path %s: named twice", quotePath(a))
		}
		return fault.Errorf(fault.Invalid, "path %s: both a file and a folder", quotePath(a))
	}
	return nil
}

// ComparePaths orders paths as BEP 52 does: component by component, by bytes.
func ComparePaths(a, b []string) int { return slices.Compare(a, b) }

// EscapeComponent returns a name for s that the file system can hold: bytes it
// cannot hold are percent-escaped. It returns s itself when nothing has to be,
// and different names stay different. Windows adds the names and characters
// that Windows refuses. Case is kept, so names that differ only in it remain the
// caller's concern.
func EscapeComponent(s string, windows bool) string {
	switch s {
	case "":
		return "%00"
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	var b strings.Builder
	device := windows && isDevice(s)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		last := i+n == len(s)
		bad := r == '/' || r == 0
		if windows {
			bad = bad || r < 0x20 || strings.ContainsRune(`<>:"\|?*`, r) ||
				(r == utf8.RuneError && n == 1) || (last && (r == '.' || r == ' ')) ||
				(device && i == 0) || isEscape(s[i:])
		}
		if bad {
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	if b.String() == s {
		return s
	}
	return b.String()
}

// isEscape reports whether s begins like what EscapeComponent writes.
func isEscape(s string) bool {
	const hex = "0123456789ABCDEF"
	return len(s) >= 3 && s[0] == '%' &&
		strings.IndexByte(hex, s[1]) >= 0 && strings.IndexByte(hex, s[2]) >= 0
}

// isDevice reports whether Windows takes s, with any extension, for a device.
func isDevice(s string) bool {
	s, _, _ = strings.Cut(s, ".")
	s = strings.ToUpper(strings.TrimRight(s, " "))
	switch s {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, ok := strings.CutPrefix(s, "COM")
	if !ok {
		number, ok = strings.CutPrefix(s, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.ContainsAny(number, "0123456789¹²³")
}

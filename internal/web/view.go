package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tandem/internal/policy"
)

// shell is what the frame of a page shows.
type shell struct {
	Title   string
	User    string // "": nobody is signed in
	Role    policy.Role
	Nav     string // files, links, people: where the visitor is
	Flash   *flash
	Dialog  bool // wanted as the inside of a dialog
	Uploads bool // the page sends files
	Narrow  bool // a page of text and forms
	now     time.Time
	assets  *assets
}

// asset returns the address of an embedded file, which changes with its content.
func (s shell) asset(name string) string { return s.assets.url(name) }

// input is a field of a form.
type input struct {
	ID, Name, Label  string
	Type, Value      string
	Hint, Auto, List string
	Max              int64
	Need, Focus      bool
}

func (f input) kind() string {
	if f.Type == "" {
		return "text"
	}
	return f.Type
}

type option struct{ Value, Label string }

// stamp is a time to show; Never stands for the zero time.
type stamp struct {
	time.Time
	Never string
}

func at(t time.Time) stamp                     { return stamp{t, "–"} }
func atOr(t time.Time, otherwise string) stamp { return stamp{t, otherwise} }
func (s stamp) iso() string                    { return s.UTC().Format(time.RFC3339) }
func (s stamp) text() string                   { return s.UTC().Format("2 Jan 2006, 15:04 UTC") }

func (s stamp) dayText() string { return s.UTC().Format("2 Jan 2006") }

// current is the value of aria-current.
func current(here bool) string {
	if here {
		return "page"
	}
	return "false"
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// count says "1 file", "2 files".
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped writes a number with thin spaces between thousands.
func grouped(n int64) string {
	s := number(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// size writes bytes as people say them: powers of 1,000, one digit behind the point below ten.
func size(n int64) string {
	if n < 1000 {
		return number(n) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		f /= 1000
		switch {
		case f < 9.95:
			return fmt.Sprintf("%.1f %s", f, unit)
		case f < 999.5:
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EB", f)
}

// permille is how much of quota is used, for a meter.
func permille(used, quota int64) string {
	if used >= quota {
		return "1000"
	}
	return strconv.FormatFloat(float64(used)/float64(quota)*1000, 'f', 0, 64)
}

// initial is the letter that stands for somebody.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r))
}

func roleName(r policy.Role) string {
	switch r {
	case policy.Reader:
		return "reader"
	case policy.Publisher:
		return "publisher"
	case policy.Admin:
		return "admin"
	}
	return "none"
}

// roleOf is the reverse of roleName; NoRole for anything else.
func roleOf(name string) policy.Role {
	for _, r := range []policy.Role{policy.Reader, policy.Publisher, policy.Admin} {
		if roleName(r) == name {
			return r
		}
	}
	return policy.NoRole
}

func roles() []option {
	return []option{
		{"reader", "Reader: sees what is shared with them"},
		{"publisher", "Publisher: also adds files and makes collections"},
		{"admin", "Admin: may do everything"},
	}
}

// rightsWords says what rights allow.
func rightsWords(r policy.Rights) string {
	if r&policy.Administer != 0 {
		return "everything, and decides who else may"
	}
	var words []string
	for _, w := range []struct {
		right policy.Rights
		word  string
	}{{policy.List, "see names"}, {policy.Read, "download"}, {policy.Publish, "add and change"}} {
		if r&w.right != 0 {
			words = append(words, w.word)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func has(r, want policy.Rights) bool { return r&(want|policy.Administer) != 0 }

// levels are the sets of rights that the page offers by name.
func levels() []option {
	return []option{
		{"view", "May view and download"},
		{"edit", "May also add and change files"},
		{"drop", "May only add files, sees nothing"},
		{"manage", "May do everything, also share access"},
	}
}

// rightsOf is what a level allows; none for anything else.
func rightsOf(level string) policy.Rights {
	switch level {
	case "view":
		return policy.List | policy.Read
	case "edit":
		return policy.List | policy.Read | policy.Publish
	case "drop":
		return policy.Publish
	case "manage":
		return policy.AllRights
	}
	return 0
}

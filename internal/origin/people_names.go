package origin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tandem/internal/fault"
)

// maxName is the most characters in the name of a user, group or collection.
const maxName = 64

// canonicalName returns the one form of a name that a person typed, checked for a user or group.
func canonicalName(what, name string) (string, error) {
	return canonical(what, name, checkName)
}

// canonicalCollection is canonicalName for a collection, which may have spaces within.
func canonicalCollection(name string) (string, error) {
	return canonical("collection", name, checkCollectionName)
}

func canonical(what, name string, check func(string) error) (string, error) {
	if len(name) > 8*maxName || !utf8.ValidString(name) {
		return "", fault.Errorf(fault.Invalid, "name of a %s: longer than %d characters, or not UTF-8", what, maxName)
	}
	name = norm.NFC.String(name)
	if err := check(name); err != nil {
		return "", fault.Errorf(fault.Invalid, "name of a %s %q: %w", what, plain(name, 80), err)
	}
	return name, nil
}

// checkName says what is wrong with a user's or group's name.
func checkName(name string) error { return checkNameWith(name, "._-") }

func checkCollectionName(name string) error {
	if strings.HasSuffix(name, " ") || strings.HasPrefix(name, " ") {
		return fault.Errorf(fault.Invalid, "begins or ends with a space")
	}
	return checkNameWith(name, "._- ")
}

func checkNameWith(name, signs string) error {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > maxName {
		return fault.Errorf(fault.Invalid, "must have 1 to %d characters", maxName)
	}
	if name[0] == '.' || name[0] == '-' {
		return fault.Errorf(fault.Invalid, "begins with %q", name[0])
	}
	for i, r := range name {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune(signs, r):
		case i > 0 && unicode.IsMark(r): // vowel signs of Indic scripts, accents without a letter of their own
		default:
			return fault.Errorf(fault.Invalid, "%q is not a letter, a digit or one of %q", r, signs)
		}
	}
	return nil
}

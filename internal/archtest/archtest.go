// Package archtest holds the rules of the house as tests.
//
// Source: docs/architecture.md (rooms, floors, contracts) and the house style.
// Rules read the syntax of the whole module, so they hold for a package from its
// first file. Each says its reason when it is broken: a rule whose reason no
// longer holds should be changed here, with a decision record, not evaded.
package archtest

import (
	"cmp"
	"fmt"
	"go/token"
	"io/fs"
	"slices"
)

// Violation is one place where a rule is broken.
type Violation struct {
	File string // slash-separated, from the module's root
	Line int
	Rule string
	What string
	Why  string // the rule's reason
}

// String returns "file:line: rule: what (why)".
func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s (%s)", v.File, v.Line, v.Rule, v.What, v.Why)
}

// rule is one rule of the house.
type rule struct {
	name  string
	why   string
	check func(t *tree, report reporter)
}

// reporter notes that a rule is broken at a position in a file.
type reporter func(f *file, at token.Pos, format string, args ...any)

// rules returns every rule, in the order of docs/architecture.md.
func rules() []rule {
	return slices.Concat(roomRules(), pureRules(), stateRules(), dangerRules(), styleRules())
}

// Check reads the module at the root of fsys and returns what breaks a rule,
// ordered by file and line. The error is of reading or parsing.
func Check(fsys fs.FS) ([]Violation, error) {
	t, err := load(fsys)
	if err != nil {
		return nil, err
	}
	var found []Violation
	for _, r := range rules() {
		r.check(t, func(f *file, at token.Pos, format string, args ...any) {
			line := 1
			if at.IsValid() {
				line = t.fset.Position(at).Line
			}
			found = append(found, Violation{f.path, line, r.name, fmt.Sprintf(format, args...), r.why})
		})
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return found, nil
}

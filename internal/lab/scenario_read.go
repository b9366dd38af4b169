package lab

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"tandem/internal/fault"
)

// maxText is the longest scenario that is read: a description is written by people.
const maxText = 1 << 20

// Read reads a scenario in TOML (docs/protocol/scenario.md). Unknown keys are refused,
// and so is every value that Complete would refuse; what is missing is left to Complete,
// so that flags can give it. name is the file's, for errors and, where the text has no
// name, for the scenario. Errors are of kind fault.Invalid and begin NAME:ROW:COLUMN.
func Read(name string, text []byte) (Scenario, error) {
	if len(text) > maxText {
		return Scenario{}, fault.Errorf(fault.Invalid, "%s: %d bytes is no scenario: at most %d", name, len(text), maxText)
	}
	s := Scenario{Prices: DefaultPrices()}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&s); err != nil {
		return Scenario{}, fault.Wrap(fault.Invalid, positioned(name, err))
	}
	keys := locate(text)
	if w := keys.unmeant(); w != nil {
		return Scenario{}, keys.tell(name, w)
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), ".toml")
	}
	trial := s.Clone()
	var w *wrong
	if err := trial.Complete(); errors.As(err, &w) && keys.has(w.at) {
		return Scenario{}, keys.tell(name, w)
	}
	return s, nil
}

// positioned names the file, line and column of a decoding error.
func positioned(name string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, col := strict.Errors[0].Position()
		return fmt.Errorf("%s:%d:%d: unknown key %q", name, row, col, strings.Join(strict.Errors[0].Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, col := bad.Position()
		return fmt.Errorf("%s:%d:%d: %s", name, row, col, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// value is where a key stands, and what kind of value it has.
type value struct {
	at       spot
	row, col int
	kind     unstable.Kind
	text     string
}

// keys are the keys of a text in its order.
type keys []value

// locate finds the keys of a text that was decoded before. Dotted keys and tables in
// lines of their own are seen as what they are the same as.
func locate(text []byte) keys {
	var found keys
	var p unstable.Parser
	p.Reset(text)
	at := spot{}
	times := make(map[string]int)
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			at = spot{table: dotted(e.Key())}
		case unstable.ArrayTable:
			name := dotted(e.Key())
			times[name]++
			at = spot{table: name, index: times[name]}
			found = append(found, whereIs(&p, spot{key: name}, e.Key(), e))
		case unstable.KeyValue:
			found = locateValue(&p, found, at, e)
		}
	}
	return found
}

func locateValue(p *unstable.Parser, found keys, in spot, e *unstable.Node) keys {
	at := in
	at.key = dotted(e.Key())
	if table, key, cut := strings.Cut(at.key, "."); cut && at.table == "" {
		at.table, at.key = table, key
	}
	v := e.Value()
	found = append(found, whereIs(p, at, e.Key(), v))
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			found = locateValue(p, found, spot{table: at.key, index: at.index}, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); {
			if n := it.Node(); n.Kind == unstable.InlineTable {
				i++
				for in := n.Children(); in.Next(); {
					found = locateValue(p, found, spot{table: at.key, index: i}, in.Node())
				}
			}
		}
	}
	return found
}

func whereIs(p *unstable.Parser, at spot, key unstable.Iterator, v *unstable.Node) value {
	found := value{at: at, kind: v.Kind, text: string(v.Data)}
	if key.Next() {
		start := p.Shape(key.Node().Raw).Start
		found.row, found.col = start.Line, start.Column
	}
	return found
}

func dotted(key unstable.Iterator) string {
	var parts []string
	for key.Next() {
		parts = append(parts, string(key.Node().Data))
	}
	return strings.Join(parts, ".")
}

func (k keys) find(at spot) *value {
	for i := range k {
		if k[i].at == at {
			return &k[i]
		}
	}
	return nil
}

func (k keys) has(at spot) bool { return k.find(at) != nil }

// tell says where in the text something is wrong.
func (k keys) tell(name string, w *wrong) error {
	v := k.find(w.at)
	return fault.Errorf(fault.Invalid, "%s:%d:%d: %w", name, v.row, v.col, w)
}

// unmeant finds values that would be taken for something else: a zero where zero means
// that nothing is said, a time without a unit.
func (k keys) unmeant() *wrong {
	for _, v := range k {
		name := v.at.key
		if v.at.table != "" {
			name = v.at.table + "." + name
		}
		if v.kind == unstable.Integer && isTime(name) {
			return &wrong{v.at, fmt.Sprintf(`%s has no unit: write it as in "90s"`, v.text)}
		}
		if isRate(name) && (v.text == "off" || v.text == "unlimited") {
			return &wrong{v.at, fmt.Sprintf(`a link is not %s: say how fast it is, as in "100Mbit"`, v.text)}
		}
		if needsMore(name) && isZero(v) {
			return &wrong{v.at, "0 cannot be meant: leave the key out for its default"}
		}
	}
	return nil
}

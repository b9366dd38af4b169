package units

import (
	"bytes"
	"encoding/json"
)

// UnmarshalJSON reads a number of bytes, or the form ParseSize reads.
func (s *Size) UnmarshalJSON(b []byte) error { return unmarshal(b, (*int64)(s), s.Set) }

// UnmarshalJSON reads bytes per second, or the form ParseRate reads.
func (r *Rate) UnmarshalJSON(b []byte) error { return unmarshal(b, (*int64)(r), r.Set) }

// unmarshal is there because encoding/json writes a number for these types, and would
// not read it again: for a type with UnmarshalText it wants a string.
func unmarshal(b []byte, n *int64, set func(string) error) error {
	if !bytes.HasPrefix(b, []byte{'"'}) {
		return json.Unmarshal(b, n)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return set(text)
}

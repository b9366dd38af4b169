// Package bencode reads and writes bencoding, strictly.
//
// Source: BEP 3. Differs: what Append writes is canonical, and Decode accepts
// nothing else, with one exception that the caller must ask for: dictionaries
// with unsorted keys, which some programs write. A Value remembers the bytes it
// was read from, so that a hash can be taken over the original.
package bencode

// Limits that hold when Options leaves them zero.
const (
	DefaultMaxDepth  = 100
	DefaultMaxTokens = 4_000_000
)

// Options say how lenient Decode is. The zero value is strict.
type Options struct {
	Unsorted  bool // accept dictionaries whose keys are not sorted; Value.Unsorted tells
	MaxDepth  int  // of nested lists and dictionaries; 0: DefaultMaxDepth
	MaxTokens int  // values and keys; 0: DefaultMaxTokens
}

// Kind is the type of a Value.
type Kind uint8

// The kinds of Value. Absent is that of the zero Value.
const (
	Absent Kind = iota
	Int
	Bytes
	List
	Dict
)

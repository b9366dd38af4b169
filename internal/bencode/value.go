package bencode

// Value is one decoded value. It refers to the input, which must not be changed
// while the Value is in use.
type Value struct {
	kind     Kind
	unsorted bool
	num      int64
	raw      []byte  // the span it was read from
	str      []byte  // Bytes
	list     []Value // List, or the values of a Dict
	keys     [][]byte
}

// Kind returns the type of v.
func (v Value) Kind() Kind { return v.kind }

// Raw returns the bytes v was read from. They are not copied.
func (v Value) Raw() []byte { return v.raw }

// Unsorted reports whether v or anything in it is a dictionary with unsorted
// keys.
func (v Value) Unsorted() bool { return v.unsorted }

// Int returns the integer v is.
func (v Value) Int() (int64, bool) { return v.num, v.kind == Int }

// Bytes returns the byte string v is, not copied.
func (v Value) Bytes() ([]byte, bool) { return v.str, v.kind == Bytes }

// String returns the byte string v is, as a string, which need not be UTF-8.
func (v Value) String() (string, bool) { return string(v.str), v.kind == Bytes }

// List returns the items of the list v is. The slice must not be changed.
func (v Value) List() ([]Value, bool) { return v.list, v.kind == List }

// Dict returns the value at key of the dictionary v is.
func (v Value) Dict(key string) (Value, bool) { panic("todo") }

// Entry is one key of a dictionary with its value.
type Entry struct {
	Key   []byte
	Value Value
}

// Entries returns what is in the dictionary v is, in the order of the input.
func (v Value) Entries() ([]Entry, bool) { panic("todo") }

// Decode reads data, which must be exactly one value. Errors are of kind
// fault.Invalid and name the offset.
func Decode(data []byte, o Options) (Value, error) { panic("todo") }

// DecodePrefix reads one value at the start of data and returns what follows
// it. Errors are those of Decode.
func DecodePrefix(data []byte, o Options) (v Value, rest []byte, err error) { panic("todo") }

// Append appends the canonical encoding of v to dst. v is an int, int64,
// string, []byte, []any, []string, map[string]any or Raw, nested as wanted; any other type
// is a mistake of the caller, and Append panics.
func Append(dst []byte, v any) []byte { panic("todo") }

// Raw is a value already encoded, which Append copies as it is.
type Raw []byte

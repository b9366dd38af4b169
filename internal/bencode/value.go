package bencode

// token is one value or key of a document. The tokens of a list or dictionary
// follow it, up to next.
type token struct {
	start, end uint32 // its bytes
	next       uint32 // index of the first token that is not in it
	kind       Kind
	unsorted   bool   // it or something in it has unsorted keys
	head       uint16 // bytes before the content of a string
}

// document is an input with its tokens. It is never changed once read.
type document struct {
	data   []byte
	tokens []token
}

// Value is one decoded value. It refers to the input, which must not be changed
// while the Value is in use. The zero Value is Absent, and every accessor says
// so. Values are safe for concurrent use.
type Value struct {
	doc *document
	at  uint32
}

func (v Value) token() token {
	if v.doc == nil {
		return token{}
	}
	return v.doc.tokens[v.at]
}

// Kind returns the type of v.
func (v Value) Kind() Kind { return v.token().kind }

// Unsorted reports whether v or anything in it is a dictionary with unsorted
// keys.
func (v Value) Unsorted() bool { return v.token().unsorted }

// Raw returns the bytes v was read from. They are not copied.
func (v Value) Raw() []byte {
	if v.doc == nil {
		return nil
	}
	t := v.token()
	return v.doc.data[t.start:t.end:t.end]
}

// Int returns the integer v is.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Int {
		return 0, false
	}
	raw := v.Raw()
	n, _ := parseInt(raw[1 : len(raw)-1]) // was checked when it was read
	return n, true
}

// Bytes returns the byte string v is, not copied.
func (v Value) Bytes() ([]byte, bool) {
	t := v.token()
	if t.kind != Bytes {
		return nil, false
	}
	return v.doc.data[t.start+uint32(t.head) : t.end : t.end], true
}

// String returns the byte string v is, as a string, which need not be UTF-8.
func (v Value) String() (string, bool) {
	b, ok := v.Bytes()
	return string(b), ok
}

// List returns the items of the list v is.
func (v Value) List() ([]Value, bool) {
	t := v.token()
	if t.kind != List {
		return nil, false
	}
	var items []Value
	for at := v.at + 1; at < t.next; at = v.doc.tokens[at].next {
		items = append(items, Value{v.doc, at})
	}
	return items, true
}

// Dict returns the value at key of the dictionary v is, false when v is no
// dictionary or has no such key.
func (v Value) Dict(key string) (Value, bool) {
	t := v.token()
	if t.kind != Dict {
		return Value{}, false
	}
	for at := v.at + 1; at < t.next; {
		value := at + 1
		if k, _ := (Value{v.doc, at}).Bytes(); string(k) == key {
			return Value{v.doc, value}, true
		}
		at = v.doc.tokens[value].next
	}
	return Value{}, false
}

// Entry is one key of a dictionary with its value.
type Entry struct {
	Key   []byte // not copied
	Value Value
}

// Entries returns what is in the dictionary v is, in the order of the input.
func (v Value) Entries() ([]Entry, bool) {
	t := v.token()
	if t.kind != Dict {
		return nil, false
	}
	var entries []Entry
	for at := v.at + 1; at < t.next; {
		key, _ := Value{v.doc, at}.Bytes()
		value := at + 1
		entries = append(entries, Entry{key, Value{v.doc, value}})
		at = v.doc.tokens[value].next
	}
	return entries, true
}

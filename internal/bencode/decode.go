package bencode

import (
	"bytes"
	"math"
	"slices"

	"tandem/internal/fault"
)

// Decode reads data, which must be exactly one value. Errors are of kind
// fault.Invalid and name the offset.
func Decode(data []byte, o Options) (Value, error) {
	v, rest, err := DecodePrefix(data, o)
	if err != nil {
		return Value{}, err
	}
	if len(rest) > 0 {
		return Value{}, fault.Errorf(fault.Invalid, "bencode: %d bytes too many at %d", len(rest), len(data)-len(rest))
	}
	return v, nil
}

// DecodePrefix reads one value at the start of data and returns what follows
// it. Errors are those of Decode.
func DecodePrefix(data []byte, o Options) (v Value, rest []byte, err error) {
	if len(data) > math.MaxUint32 {
		return Value{}, nil, fault.Errorf(fault.Invalid, "bencode: %d bytes are too many", len(data))
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = DefaultMaxTokens
	}
	d := decoder{document: &document{data: data}, o: o}
	if err := d.value(o.MaxDepth); err != nil {
		return Value{}, nil, err
	}
	return Value{d.document, 0}, data[d.at:], nil
}

type decoder struct {
	*document
	o  Options
	at int // offset of the next byte
}

func (d *decoder) errorf(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "bencode: at %d: "+format, append([]any{d.at}, args...)...)
}

// value reads a value with at most depth levels of nesting left.
func (d *decoder) value(depth int) error {
	if d.at >= len(d.data) {
		return d.errorf("value is missing")
	}
	switch c := d.data[d.at]; {
	case c == 'i':
		return d.integer()
	case '0' <= c && c <= '9':
		return d.bytes()
	case c != 'l' && c != 'd':
		return d.errorf("no value starts with %q", c)
	case depth == 0:
		return d.errorf("nested deeper than %d", d.o.MaxDepth)
	case c == 'l':
		return d.list(depth - 1)
	default:
		return d.dict(depth - 1)
	}
}

// open adds a token that starts here, and returns its index.
func (d *decoder) open(kind Kind) (int, error) {
	if len(d.tokens) >= d.o.MaxTokens {
		return 0, d.errorf("more than %d values", d.o.MaxTokens)
	}
	d.tokens = append(d.tokens, token{start: uint32(d.at), kind: kind})
	return len(d.tokens) - 1, nil
}

// close ends token i before offset end, where reading goes on.
func (d *decoder) close(i, end int) {
	d.at = end
	d.tokens[i].end, d.tokens[i].next = uint32(end), uint32(len(d.tokens))
}

func (d *decoder) integer() error {
	i, err := d.open(Int)
	if err != nil {
		return err
	}
	// The longest integer has 20 characters: no need to look further.
	window := d.data[d.at+1 : min(len(d.data), d.at+22)]
	n := bytes.IndexByte(window, 'e')
	if n < 0 {
		return d.errorf("integer does not end or is out of range")
	}
	if _, ok := parseInt(window[:n]); !ok {
		return d.errorf("integer %q is malformed or out of range", window[:n])
	}
	d.close(i, d.at+n+2)
	return nil
}

func (d *decoder) bytes() error {
	i, err := d.open(Bytes)
	if err != nil {
		return err
	}
	window := d.data[d.at:min(len(d.data), d.at+11)]
	n := bytes.IndexByte(window, ':')
	if n < 0 {
		return d.errorf("string has no length, or is longer than the input")
	}
	size, ok := parseInt(window[:n])
	if !ok || size < 0 {
		return d.errorf("string length %q is malformed", window[:n])
	}
	body := d.at + n + 1
	if size > int64(len(d.data)-body) {
		return d.errorf("string of %d bytes is longer than the input", size)
	}
	d.tokens[i].head = uint16(n + 1)
	d.close(i, body+int(size))
	return nil
}

func (d *decoder) list(depth int) error {
	i, err := d.open(List)
	if err != nil {
		return err
	}
	for d.at++; ; {
		if d.at >= len(d.data) {
			return d.errorf("list does not end")
		}
		if d.data[d.at] == 'e' {
			d.close(i, d.at+1)
			return nil
		}
		child := len(d.tokens)
		if err := d.value(depth); err != nil {
			return err
		}
		d.tokens[i].unsorted = d.tokens[i].unsorted || d.tokens[child].unsorted
	}
}

func (d *decoder) dict(depth int) error {
	i, err := d.open(Dict)
	if err != nil {
		return err
	}
	var last []byte
	sorted, first := true, true
	for d.at++; ; first = false {
		if d.at >= len(d.data) {
			return d.errorf("dictionary does not end")
		}
		if d.data[d.at] == 'e' {
			d.close(i, d.at+1)
			break
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		if order := bytes.Compare(last, key); !first && order == 0 {
			return d.errorf("key %.40q twice", key)
		} else if !first && order > 0 {
			if !d.o.Unsorted {
				return d.errorf("key %.40q is not in order", key)
			}
			sorted = false
		}
		last = key
		child := len(d.tokens)
		if err := d.value(depth); err != nil {
			return err
		}
		d.tokens[i].unsorted = d.tokens[i].unsorted || d.tokens[child].unsorted
	}
	if sorted {
		return nil
	}
	d.tokens[i].unsorted = true
	return d.findTwice(i)
}

func (d *decoder) key() ([]byte, error) {
	if c := d.data[d.at]; c < '0' || c > '9' {
		return nil, d.errorf("key is not a string")
	}
	i := len(d.tokens)
	if err := d.bytes(); err != nil {
		return nil, err
	}
	key, _ := Value{d.document, uint32(i)}.Bytes()
	return key, nil
}

// findTwice refuses a dictionary that has a key twice, wherever they stand.
func (d *decoder) findTwice(i int) error {
	entries, _ := Value{d.document, uint32(i)}.Entries()
	keys := make([][]byte, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	slices.SortFunc(keys, bytes.Compare)
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(keys[i-1], keys[i]) {
			return d.errorf("key %.40q twice", keys[i])
		}
	}
	return nil
}

// parseInt reads a canonical integer: no leading zero, no "-0", no "+".
func parseInt(s []byte) (int64, bool) {
	digits, negative := bytes.CutPrefix(s, []byte("-"))
	if len(digits) == 0 || len(digits) > 19 || (digits[0] == '0' && len(s) > 1) {
		return 0, false
	}
	var n uint64 // 19 digits fit
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), true
	case !negative && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}

package tcp

import (
	"io"
	"net"
)

// joinSize is the most a joiner copies together: four blocks with their headers.
const joinSize = 64<<10 + 1<<10

// joiner sends several buffers by few calls of Write.
type joiner struct {
	buf []byte // grows to joinSize, kept between calls
}

// write consumes bufs.
func (j *joiner) write(w io.Writer, bufs *net.Buffers) (int64, error) {
	var sent int64
	flush := func(b []byte) error {
		n, err := w.Write(b)
		sent += int64(n)
		return err
	}
	j.buf = j.buf[:0]
	for len(*bufs) > 0 {
		b := (*bufs)[0]
		if len(j.buf) > 0 && len(j.buf)+len(b) > joinSize {
			if err := flush(j.buf); err != nil {
				return sent, err
			}
			j.buf = j.buf[:0]
		}
		(*bufs)[0], *bufs = nil, (*bufs)[1:]
		if len(b) > joinSize {
			if err := flush(b); err != nil {
				return sent, err
			}
			continue
		}
		j.buf = append(j.buf, b...)
	}
	if len(j.buf) == 0 {
		return sent, nil
	}
	return sent, flush(j.buf)
}

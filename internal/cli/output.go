package cli

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"tandem/internal/fault"
)

// output is standard output, and the first failure to write there: a list that was cut short by a
// full disk must not look whole.
type output struct {
	io.Writer
	failed error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.failed == nil {
		o.failed = err
	}
	return n, err
}

// lost is the failure of the command because of what could not be written, or nil.
func (o *output) lost() error {
	switch {
	case o.failed == nil:
		return nil
	case errors.Is(o.failed, syscall.ENOSPC):
		return withHint("make room, then run it again", fault.Wrap(fault.Full, fmt.Errorf("write standard output: %w", o.failed)))
	}
	return withHint("see where standard output leads", fmt.Errorf("write standard output: %w", o.failed))
}

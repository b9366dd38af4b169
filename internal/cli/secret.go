package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"tandem/internal/fault"
)

// maxSecret bounds what is read of a file that holds a secret.
const maxSecret = 4096

// password reads a secret from file ("-": standard input) or asks for it on the terminal, twice when
// it is a new one. Secrets never stand on the command line: others on the machine could read them.
func (a *app) password(ctx context.Context, file, prompt string, twice bool) (string, error) {
	switch file {
	case "":
		return a.ask(ctx, prompt, twice)
	case "-":
		return firstLine(a.stdin, "standard input")
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fault.Wrap(fault.NotFound, fmt.Errorf("read password: %w", err))
	}
	defer f.Close()
	return firstLine(f, file)
}

// firstLine returns the only line of what r yields.
func firstLine(r io.Reader, name string) (string, error) {
	b := bufio.NewReaderSize(io.LimitReader(r, maxSecret+1), maxSecret+1)
	text, err := b.ReadString('\n')
	text = strings.TrimRight(text, "\r\n")
	switch {
	case err != nil && err != io.EOF:
		return "", fmt.Errorf("read %s: %w", name, err)
	case text == "":
		return "", usageError{fmt.Errorf("%s is empty", name)}
	case len(text) > maxSecret:
		return "", usageError{fmt.Errorf("the first line of %s is longer than %d bytes", name, maxSecret)}
	}
	return text, nil
}

var errNoSecret = usageError{withHint("put it into a file that only you can read: --password-file FILE",
	errors.New("there is no terminal to ask for a password"))}

// ask reads a secret that the terminal does not show.
func (a *app) ask(ctx context.Context, prompt string, twice bool) (string, error) {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", errNoSecret
	}
	first, err := a.hidden(ctx, in, prompt)
	if err != nil || !twice {
		return first, err
	}
	again, err := a.hidden(ctx, in, "the same again")
	if err == nil && again != first {
		err = usageError{errors.New("the two are not the same")}
	}
	return first, err
}

// hidden reads one line; an interrupt ends it and leaves the terminal as it was.
func (a *app) hidden(ctx context.Context, in *os.File, prompt string) (string, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	fmt.Fprint(a.stderr, clean(prompt)+": ")
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // an interrupt leaves it behind, and the process ends
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case got := <-answered:
		fmt.Fprintln(a.stderr)
		switch {
		case got.err != nil:
			return "", fmt.Errorf("ask for the password: %w", got.err)
		case len(got.text) == 0:
			return "", usageError{errors.New("nothing was typed")}
		}
		return string(got.text), nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		fmt.Fprintln(a.stderr)
		return "", context.Canceled
	}
}

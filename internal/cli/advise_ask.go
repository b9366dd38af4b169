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
)

// question is one that tandem advise asks. Its answer is the value of a flag.
type question struct {
	ask, why string
	preset   string // what Enter means; what it says is set, unless it is in none
	flag     string
	none     []string          // answers that leave the flag alone
	words    map[string]string // other words for values
}

// adviceQuestions are asked in this order: what people know first, limits after.
func adviceQuestions() []question {
	no := map[string]string{"yes": "true", "y": "true", "no": "false", "n": "false"}
	yes := map[string]string{"yes": "false", "y": "false", "no": "true", "n": "true"}
	return []question{
		{"How many want it?", "the more there are, the more peers help", "10", "receivers", nil, nil},
		{"How large is it?", "small things are there before peers find each other", "64MiB", "size", nil, nil},
		{"Upload of the machine that has it?", "a server alone sends everything through it", "40Mbit", "origin-up", nil, nil},
		{"Upload of each receiver?", "what peers can give each other", "20Mbit", "up", nil, nil},
		{"Download of each receiver?", "nobody can have it sooner than this lets them", "100Mbit", "down", nil, nil},
		{"How long do receivers stay when they have it? (leave, end or a time)", "who stays goes on giving", "leave", "stay", nil, nil},
		{"When must the last one have it?", "models that are too slow are left out", "no matter", "deadline", []string{"no matter", "none"}, nil},
		{"How much of the time must it be there?", "one server fails at times; such as 99.9%", "no matter", "availability", []string{"no matter", "none"}, nil},
		{"How soon must access end when you take it back?", "a server ends it at once, peers when they hear of it", "no matter", "revocation", []string{"no matter", "none"}, nil},
		{"Must every download be on record?", "what peers pass on no server sees", "no", "audit", nil, no},
		{"May receivers upload?", "peers and hybrid live by that", "yes", "no-upload", nil, yes},
		{"Is there somebody whom all would trust with a server?", "a server sees everything", "yes", "no-server", nil, yes},
		{"Must it go on when the origin dies?", "a server alone cannot", "no", "outlive", nil, no},
		{"Dollars for a GB that leaves the origin?", "0.09 at a large cloud, 0.005 at a small one, 0 on a line of your own", "0.09", "egress-price", nil, nil},
		{"Dollars for an hour of staff?", "a server takes more of them to set up", "0", "staff-hour", nil, nil},
	}
}

const mostTries = 3

var errNobodyToAsk = usageError{withHint("say it with flags: tandem advise --receivers 40 --size 700MB --origin-up 100Mbit --up 20Mbit --down 100Mbit",
	errors.New("there is no terminal to ask the questions on"))}

// interview asks everything on the terminal and sets the flags by the answers.
func (a *app) interview(ctx context.Context, o *advice) error {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || a.json {
		return errNobodyToAsk
	}
	return interview(ctx, o, in, a.stderr)
}

func interview(ctx context.Context, o *advice, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan string)
	go func() { // an interrupt leaves it behind at its read, and the process ends
		defer close(lines)
		s := bufio.NewScanner(in)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	fmt.Fprintln(out, "Enter takes what stands in brackets.")
	for _, q := range adviceQuestions() {
		if err := q.put(ctx, o, lines, out); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	return nil
}

// put asks until the answer is one.
func (q question) put(ctx context.Context, o *advice, lines <-chan string, out io.Writer) error {
	for range mostTries {
		fmt.Fprintf(out, "%s\n  (%s) [%s] ", q.ask, q.why, q.preset)
		var text string
		select {
		case line, ok := <-lines:
			if !ok {
				fmt.Fprintln(out)
				return usageError{withHint("answer them all, or say it with flags: tandem advise --help", errors.New("the answers ended too soon"))}
			}
			text = strings.TrimSpace(line)
		case <-ctx.Done():
			fmt.Fprintln(out)
			return context.Canceled
		}
		err := q.answer(o, text)
		if err == nil {
			return nil
		}
		fmt.Fprintln(out, "  "+clean(err.Error()))
	}
	return usageError{fmt.Errorf("%s there was no answer to that", q.ask)}
}

func (q question) answer(o *advice, text string) error {
	if text == "" {
		text = q.preset
	}
	for _, none := range q.none {
		if strings.EqualFold(text, none) {
			return nil
		}
	}
	if v, ok := q.words[strings.ToLower(text)]; ok {
		text = v
	} else if q.words != nil {
		return fmt.Errorf("%q is neither yes nor no", text)
	}
	f := o.flags.Lookup(q.flag) // and not Set, whose error speaks of a flag
	if err := f.Value.Set(text); err != nil {
		return err
	}
	f.Changed = true
	return nil
}

package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// ten is the content of the file that these tests ask for.
const ten = "0123456789"

// partial answers as a server does that sends bytes of ten; head is of the form "A-B/SIZE".
func partial(head, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes "+head)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, body)
	}
}

func TestRangesOfContent(t *testing.T) {
	whole := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, ten) }
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		want       string
		sequential bool
		kind       fault.Kind
	}{
		"what was asked for":               {partial("3-6/10", "3456"), "3456", false, 0},
		"less of it":                       {partial("3-4/10", "34"), "34", false, 0},
		"a proxy strips the range":         {whole, ten, true, 0},
		"another place":                    {partial("2-5/10", "2345"), "", false, fault.Protocol},
		"more than asked for":              {partial("3-7/10", "34567"), "", false, fault.Protocol},
		"a length that is not the range's": {partial("3-6/10", "345"), "", false, fault.Protocol},
		"a file of another size":           {partial("3-6/11", "3456"), "", false, fault.Changed},
		"a page in place of the file":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "", false, fault.Protocol},
		"encoded content": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, ten)
		}, "", false, fault.Protocol},
		"other content by now":    {refusing(http.StatusPreconditionFailed, ""), "", false, fault.Changed},
		"a file that is shorter":  {refusing(http.StatusRequestedRangeNotSatisfiable, ""), "", false, fault.Changed},
		"a link that has ended":   {refusing(http.StatusGone, ""), "", false, fault.Gone},
		"a server that is busy":   {refusing(http.StatusServiceUnavailable, "1"), "", false, fault.Unreachable},
		"a connection that broke": {broken, "", false, fault.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			var asked http.Header
			cl := scripted(t, &clock{}, func(w http.ResponseWriter, r *http.Request) {
				asked = r.Header.Clone()
				c.answer(w, r)
			})
			in, err := cl.By("token", "").Content(t.Context(), Range{Off: 3, Len: 4, Size: 10, Root: "ab", Node: "n", Share: "s", First: 1, Last: 2})
			if c.kind != 0 {
				if fault.KindOf(err) != c.kind {
					t.Fatalf("%v of kind %v, want %v", err, fault.KindOf(err), c.kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(in)
			if err := errors.Join(err, in.Close()); err != nil || string(got) != c.want || in.Sequential != c.sequential {
				t.Errorf("%q, %t, %v", got, in.Sequential, err)
			}
			for name, want := range map[string]string{
				"Range": "bytes=3-6", api.HeaderNode: "n", api.HeaderShare: "s", api.HeaderPieces: "1-2", api.HeaderRoot: "ab",
			} {
				if asked.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, asked.Get(name), want)
				}
			}
		})
	}
}

func TestABodyThatBreaksOffGivesWhatCame(t *testing.T) {
	cl := scripted(t, &clock{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 0-9/10")
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "0123")
		w.(http.Flusher).Flush()
		cut(w)
	})
	in, err := cl.By("token", "").Content(t.Context(), Range{Len: 10, Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if got, err := io.ReadAll(in); string(got) != "0123" || fault.KindOf(err) != fault.Unreachable || !IsLost(err) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAServerMayPointElsewhere(t *testing.T) {
	for body, want := range map[string]Elsewhere{
		`{"peers":["192.0.2.1:7","x","192.0.2.2:0","[::]:5"],"taken":"gA==","after":250}`: {api.Elsewhere{Taken: []byte{0x80}, After: 250}},
		`{"after":-1}`:           {},
		`{"after":999999999999}`: {api.Elsewhere{After: 999999999999}},
	} {
		cl := scripted(t, &clock{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusMultipleChoices)
			_, _ = io.WriteString(w, body)
		})
		_, err := cl.By("token", "").Content(t.Context(), Range{Len: 10, Size: 10})
		var e *Elsewhere
		if !errors.As(err, &e) || string(e.Taken) != string(want.Taken) || e.Pause() < 0 || e.Pause() > time.Minute {
			t.Fatalf("%s: %v, %+v", body, err, e)
		}
		if strings.Contains(body, "192.0.2.1") && fmt.Sprint(e.Addrs()) != "[192.0.2.1:7]" {
			t.Errorf("the addresses are %v", e.Addrs())
		}
	}
	cl := scripted(t, &clock{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMultipleChoices) })
	if _, err := cl.By("token", "").Content(t.Context(), Range{Len: 10, Size: 10}); fault.KindOf(err) != fault.Protocol {
		t.Errorf("a page in place of the answer: %v", err)
	}
}

func TestJoiningIsTriedOnce(t *testing.T) {
	tries := 0
	cl := scripted(t, &clock{}, func(w http.ResponseWriter, r *http.Request) {
		tries++
		refusing(http.StatusServiceUnavailable, "1")(w, r)
	}, fine)
	if _, err := cl.By("token", "").Swarm(t.Context(), "", api.SwarmJoin{}); err == nil || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

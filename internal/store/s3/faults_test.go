package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/test/engines"
)

func sum(data []byte) content.Hash {
	s := content.NewStream()
	s.Write(data)
	return s.Sum().Root
}

func TestAStageOutlivesTheStore(t *testing.T) {
	s := engines.S3(t)
	b := openSmall(t, config(t, s, ""), nil, patience)
	data := bytes.Repeat([]byte("0123456789abcdef"), (11<<20)/16)
	w, err := b.Stage(t.Context(), "a", 0, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data[:6<<20]); err != nil {
		t.Fatal(err)
	}
	durable, err := w.Sync(t.Context())
	if err != nil || durable != 5<<20 {
		t.Fatalf("%d bytes are durable, %v", durable, err)
	}
	s.Stop()
	start := time.Now()
	n, err := w.Close(t.Context())
	if !errors.Is(err, fault.Unreachable) || n != durable {
		t.Errorf("closing without the store: %d bytes are durable, %v", n, err)
	}
	if _, err := b.Stat(t.Context(), content.Hash{1}); !errors.Is(err, fault.Unreachable) {
		t.Errorf("stat without the store: %v, want unreachable", err)
	}
	if err := b.Probe(t.Context()); !errors.Is(err, fault.Unreachable) {
		t.Errorf("probe without the store: %v, want unreachable", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v to find out", took)
	}
	s.Start(t)
	w, err = b.Stage(t.Context(), "a", durable, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data[durable:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), sum(data)); err != nil {
		t.Fatal(err)
	}
	r, _, err := b.Open(t.Context(), sum(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// A store that accepts connections and says nothing.
func TestSilenceIsUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg, err := Parse(fmt.Sprintf("s3://k:s@%s/b?secure=0", l.Addr()), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	const brief = 200 * time.Millisecond
	limits := small()
	limits.patience = brief
	start := time.Now()
	_, err = open(t.Context(), cfg, newTransport(brief), nil, limits)
	if !errors.Is(err, fault.Unreachable) {
		t.Errorf("opening a silent store: %v, want unreachable", err)
	}
	if took := time.Since(start); took > 20*brief {
		t.Errorf("it took %v to find out", took)
	}
	if text := fmt.Sprint(err); strings.Contains(text, "k:s@") {
		t.Errorf("the error holds the secret: %s", text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = open(ctx, cfg, newTransport(brief), nil, limits); !errors.Is(err, fault.Closed) {
		t.Errorf("opening with a context that has ended: %v, want closed", err)
	}
}

// cutter breaks the bodies of answers after some bytes, a few times.
type cutter struct {
	to    http.RoundTripper
	after int64
	left  atomic.Int64
}

func (c *cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := c.to.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet && a.ContentLength > c.after && c.left.Add(-1) >= 0 {
		a.Body = cut{io.LimitReader(a.Body, c.after), a.Body}
	}
	return a, err
}

type cut struct {
	io.Reader
	io.Closer
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAReaderGoesOnAfterABrokenConnection(t *testing.T) {
	s := engines.S3(t)
	c := &cutter{after: 100_000}
	b := openSmall(t, config(t, s, ""), func(to http.RoundTripper) http.RoundTripper { c.to = to; return c }, patience)
	data := bytes.Repeat([]byte("abcdefg"), 100_000)
	if _, err := b.put(t.Context(), b.blob(sum(data)), data, condition{}); err != nil {
		t.Fatal(err)
	}
	r, info, err := b.Open(t.Context(), sum(data))
	if err != nil || info.Size != int64(len(data)) {
		t.Fatalf("%+v, %v", info, err)
	}
	defer r.Close()
	c.left.Store(3)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(data), err)
	}
	if c.left.Load() > 0 {
		t.Error("no connection was broken")
	}
	// What is replaced meanwhile is not mixed.
	if _, err := r.Seek(200_000, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	other := bytes.ToUpper(data)
	if _, err := b.put(t.Context(), b.blob(sum(data)), other, condition{}); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err == nil {
		t.Errorf("%d bytes of other content were taken for the rest", len(got))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seek(100_000, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fault.Closed) {
		t.Errorf("reading from a closed store: %v, want closed", err)
	}
}

func TestKindsOfAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"an absent object":            {minio.ErrorResponse{Code: "NoSuchKey", StatusCode: 404}, fault.NotFound},
		"an absent bucket":            {minio.ErrorResponse{Code: "NoSuchBucket", StatusCode: 404}, fault.Unreachable},
		"a condition":                 {minio.ErrorResponse{Code: "PreconditionFailed", StatusCode: 412}, fault.Busy},
		"a conflict":                  {minio.ErrorResponse{StatusCode: 409}, fault.Busy},
		"a quota":                     {minio.ErrorResponse{Code: "QuotaExceeded", StatusCode: 403}, fault.Full},
		"a full device":               {minio.ErrorResponse{StatusCode: 507}, fault.Full},
		"a wrong key":                 {minio.ErrorResponse{Code: "SignatureDoesNotMatch", StatusCode: 403}, fault.Permission},
		"a policy":                    {minio.ErrorResponse{StatusCode: 403}, fault.Permission},
		"too much":                    {minio.ErrorResponse{Code: "SlowDown", StatusCode: 503}, fault.Unreachable},
		"trouble inside":              {minio.ErrorResponse{Code: "InternalError", StatusCode: 500}, fault.Unreachable},
		"an empty object":             {minio.ErrorResponse{Code: "InvalidRange", StatusCode: 416}, fault.Corrupt},
		"something else":              {minio.ErrorResponse{Code: "NotImplemented", StatusCode: 501}, fault.Other},
		"no answer":                   {&net.OpError{Op: "dial", Err: errors.New("refused")}, fault.Unreachable},
		"a kind of ours that wrapped": {fmt.Errorf("put: %w", fault.Errorf(fault.Closed, "closed")), fault.Closed},
	} {
		if got := kindOf(c.err); got != c.kind {
			t.Errorf("%s is %v, want %v", name, got, c.kind)
		}
	}
}

func TestManyPartsGrow(t *testing.T) {
	l := defaultLimits()
	total := int64(0)
	for n := range maxParts - 1 {
		total += l.full(n)
	}
	if total < 1<<40 {
		t.Errorf("an upload ends at %d bytes", total)
	}
	if l.full(0) != 16<<20 || l.least != 5<<20 {
		t.Errorf("parts are of %d bytes, at least %d", l.full(0), l.least)
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes 0-9/*")
	f.Add("")
	f.Fuzz(func(t *testing.T, head string) {
		if n, ok := totalSize(head); ok && n < 0 {
			t.Errorf("%q has %d bytes", head, n)
		}
	})
}

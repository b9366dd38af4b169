package rest

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"tandem/internal/fault"
)

// mediaTypes of bodies.
const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeTar    = "application/x-tar"
	typeZip    = "application/zip"
	typeBytes  = "application/octet-stream"
	typeChunk  = "application/offset+octet-stream"
)

// needType refuses a body that is not of the media type want.
func needType(r *http.Request, want string) error {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != want {
		return withStatus(http.StatusUnsupportedMediaType, fault.Errorf(fault.Invalid, "the body must be of Content-Type %s", want))
	}
	return nil
}

// decode reads the body of a JSON request into v: one value, no more than the
// limit, and no field that v does not know.
func (x *exchange) decode(v any) error { return x.decodeUpTo(v, DefaultLimits().JSONBytes) }

// decodeUpTo is decode for bodies of up to so many bytes.
func (x *exchange) decodeUpTo(v any, most int64) error {
	if err := needType(x.r, typeJSON); err != nil {
		return err
	}
	d := json.NewDecoder(http.MaxBytesReader(x.inner, x.r.Body, most))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badJSON(err)
	}
	return nil
}

func badJSON(err error) error {
	var long *http.MaxBytesError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &long):
		return withStatus(http.StatusRequestEntityTooLarge, fault.Errorf(fault.Invalid, "the body is longer than %d bytes", long.Limit))
	case err == nil:
		return fault.Errorf(fault.Invalid, "the body holds more than one JSON value")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Errorf(fault.Invalid, "the body is no whole JSON value")
	case errors.As(err, &syntax):
		return fault.Errorf(fault.Invalid, "the body is no JSON: %w at byte %d", err, syntax.Offset)
	case errors.As(err, &kind):
		return fault.Errorf(fault.Invalid, "field %q of the body is not a %s", kind.Field, kind.Type)
	}
	return fault.Errorf(fault.Invalid, "body: %w", err)
}

// number reads a query value or part of the path; absent gives 0. Errors name it.
func number(name, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.Errorf(fault.Invalid, "%s is not a number: %q", name, text)
	}
	return n, nil
}

// moment reads a time as RFC 3339; absent gives the zero time.
func moment(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fault.Errorf(fault.Invalid, "%s is not a time as 2026-01-02T15:04:05Z: %q", name, text)
	}
	return t.UTC(), nil
}

// id reads the part of the path that names something by number; what is no
// number names nothing.
func (x *exchange) number(name string) (int64, error) {
	n, err := strconv.ParseInt(x.r.PathValue(name), 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.Errorf(fault.NotFound, "there is no %s %q", name, x.r.PathValue(name))
	}
	return n, nil
}

// page reads ?limit=, 0 when absent.
func limitOf(r *http.Request) (int, error) {
	n, err := number("limit", r.URL.Query().Get("limit"))
	if err != nil || n > 1e6 {
		return 0, fault.Errorf(fault.Invalid, "limit is not a number up to 1000000")
	}
	return int(n), nil
}

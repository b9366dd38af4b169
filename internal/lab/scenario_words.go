package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"tandem/internal/fault"
)

// Words of a scenario.
const (
	Flash   = "flash"
	Poisson = "poisson"

	StayLeave = "leave"
	StayFor   = "for"
	StayEnd   = "end"

	KillOrigin = "origin"
	KillPeers  = "peers"
)

// ParseModel reads a model's name.
func ParseModel(text string) (Model, error) { return oneOf("model", text, Models()) }

// ParsePlace reads a world's name.
func ParsePlace(text string) (Place, error) { return oneOf("world", text, Places()) }

func oneOf[T ~string](what, text string, all []T) (T, error) {
	if v := T(strings.TrimSpace(text)); slices.Contains(all, v) {
		return v, nil
	}
	return "", fault.Errorf(fault.Invalid, "%s %q is none of %s", what, text, listed(all))
}

func listed[T ~string](all []T) string {
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}

// ParseArrivals reads "flash" or "poisson:RATE", where RATE is arrivals per second, or
// per minute or hour with /min or /h behind it.
func ParseArrivals(text string) (Arrivals, error) {
	bad := fault.Errorf(fault.Invalid, `arrivals %q are neither "flash" nor "poisson:RATE" with a rate above 0, as in poisson:2 (a second) or poisson:30/min`, text)
	kind, rate, found := strings.Cut(strings.TrimSpace(text), ":")
	if kind == Flash && !found {
		return Arrivals{Kind: Flash}, nil
	}
	if kind != Poisson || !found {
		return Arrivals{}, bad
	}
	number, unit, _ := strings.Cut(rate, "/")
	per, ok := map[string]float64{"": 1, "s": 1, "min": 60, "h": 3600}[unit]
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || !(v > 0 && v/per > 0 && v <= 1e9) {
		return Arrivals{}, bad
	}
	return Arrivals{Kind: Poisson, Rate: v / per}, nil
}

// String writes a form ParseArrivals reads.
func (a Arrivals) String() string {
	if a.Kind == Poisson {
		return Poisson + ":" + number(a.Rate)
	}
	return a.Kind
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// ParseStay reads "leave", "end" or how long.
func ParseStay(text string) (Stay, error) {
	switch t := strings.TrimSpace(text); t {
	case StayLeave, StayEnd:
		return Stay{Kind: t}, nil
	}
	d, err := ParseDuration(text)
	if err != nil || d <= 0 {
		return Stay{}, fault.Errorf(fault.Invalid, "stay %q is not leave, end or a time as in 10m", text)
	}
	return Stay{Kind: StayFor, For: d}, nil
}

// String writes a form ParseStay reads.
func (s Stay) String() string {
	if s.Kind == StayFor {
		return s.For.String()
	}
	return s.Kind
}

// ParseKill reads WHO@AT or WHO:SHARE@AT, where WHO is origin or peers, and SHARE and AT
// are such as 50% or 0.5: origin@50%, peers:30%@50%.
func ParseKill(text string) (Kill, error) {
	bad := func(what string) (Kill, error) {
		return Kill{}, fault.Errorf(fault.Invalid, "kill %q: %s: write it as in origin@50%% or peers:30%%@50%%", text, what)
	}
	whom, when, found := strings.Cut(strings.TrimSpace(text), "@")
	if !found {
		return bad("it does not say when")
	}
	who, part, partial := strings.Cut(whom, ":")
	k := Kill{Who: who, Share: 1}
	if who != KillOrigin && who != KillPeers {
		return bad(fmt.Sprintf("%q is neither origin nor peers", who))
	}
	var err error
	if partial {
		if k.Share, err = parseShare(part); err != nil || k.Share == 0 {
			return bad(fmt.Sprintf("%q is no share above 0%% and at most 100%%", part))
		}
	}
	if k.At, err = parseShare(when); err != nil {
		return bad(fmt.Sprintf("%q is not between 0%% and 100%%", when))
	}
	return k, nil
}

// String writes a form ParseKill reads.
func (k Kill) String() string {
	if k.Share == 1 {
		return k.Who + "@" + shareText(k.At)
	}
	return k.Who + ":" + shareText(k.Share) + "@" + shareText(k.At)
}

func parseShare(text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if percent {
		v /= 100
	}
	if err == nil && !(v >= 0 && v <= 1) {
		err = fault.Invalid
	}
	return v, err
}

// shareText writes a share as a percentage where that reads back the same.
func shareText(v float64) string {
	if s := number(v*100) + "%"; len(s) < 8 {
		if back, err := parseShare(s); err == nil && back == v {
			return s
		}
	}
	return number(v)
}

// ParseDuration reads 90s, 30m, 12h or 7d, and sums such as 1d12h.
func ParseDuration(text string) (Duration, error) {
	t := strings.TrimSpace(text)
	days := time.Duration(0)
	if before, after, found := strings.Cut(t, "d"); found {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, badDuration(text)
		}
		if days, t = time.Duration(n)*24*time.Hour, after; t == "" {
			return Duration(days), nil
		}
	}
	d, err := time.ParseDuration(t)
	if err != nil || d < 0 && days > 0 || d > time.Duration(maxMTTF) {
		return 0, badDuration(text)
	}
	return Duration(days + d), nil
}

func badDuration(text string) error {
	return fault.Errorf(fault.Invalid, "time %q is not a number with ms, s, m, h or d, as in 90s or 1h30m", text)
}

// String writes a form ParseDuration reads.
func (d Duration) String() string { return time.Duration(d).String() }

// Set implements pflag.Value.
func (d *Duration) Set(text string) error {
	v, err := ParseDuration(text)
	if err == nil {
		*d = v
	}
	return err
}

// Type implements pflag.Value.
func (d *Duration) Type() string { return "DURATION" }

// UnmarshalText reads a file's form.
func (d *Duration) UnmarshalText(b []byte) error { return d.Set(string(b)) }

// UnmarshalJSON reads nanoseconds, as JSON has times, or the spelled form.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if text, err := strconv.Unquote(string(b)); err == nil {
		return d.Set(text)
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return badDuration(string(b))
	}
	*d = Duration(n)
	return nil
}

// isTime tells the keys whose values are times.
func isTime(key string) bool {
	switch key {
	case "latency", "origin.mttf", "origin.mttr", "stay.for", "sessions.mean", "sessions.away", "needs.deadline", "needs.revocation":
		return true
	}
	return false
}

// isRate tells the keys whose values are rates.
func isRate(key string) bool {
	return key == "origin.up" || key == "receivers.up" || key == "receivers.down"
}

// needsMore tells the keys whose zero would be taken for the default.
func needsMore(key string) bool {
	switch key {
	case "piece", "origin.count", "origin.mttf", "origin.mttr", "sessions.shape", "kill.share", "latency", "payload", "repeats", "seed":
		return true
	}
	return false
}

// isZero reports whether a number, size or time is zero.
func isZero(v value) bool {
	if v.kind != unstable.Integer && v.kind != unstable.Float && v.kind != unstable.String {
		return false
	}
	digits := strings.TrimRight(strings.ToLower(v.text), "abcdefghijklmnopqrstuvwxyzµ ")
	return strings.Trim(digits, "+-0._") == "" && strings.Contains(digits, "0")
}

package lab

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tandem/internal/units"
)

// Values that a scenario is varied to have three digits, so that what is printed is
// exactly what was looked at, and can be typed.

// round3 keeps three digits.
func round3(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// roundSize keeps three digits in the unit that spellSize takes.
func roundSize(v float64) units.Size {
	if v > float64(2*MaxSize) { // and out of bounds
		return 2 * MaxSize
	}
	unit, _ := sizeUnit(v)
	return units.Size(round3(v/unit) * unit)
}

func sizeUnit(v float64) (float64, string) {
	for _, u := range []struct {
		of   float64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if v >= u.of {
			return u.of, u.name
		}
	}
	return 1, "B"
}

// spellSize writes a size as ParseSize reads it, in binary units where that loses
// nothing.
func spellSize(s units.Size) string {
	unit, name := sizeUnit(float64(s))
	text := strconv.FormatFloat(float64(s)/unit, 'g', 4, 64) + name
	if back, err := units.ParseSize(text); err == nil && back == s && !strings.Contains(text, "e") {
		return text
	}
	for _, u := range []struct {
		of   units.Size
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}} {
		if s%(u.of/1000) == 0 && s >= u.of {
			return strconv.FormatFloat(float64(s)/float64(u.of), 'f', -1, 64) + u.name
		}
	}
	return s.String()
}

// roundRate keeps three digits of the bits a second.
func roundRate(v float64) units.Rate {
	return units.Rate(round3(v*8) / 8)
}

// spellRate writes a rate as ParseRate reads it, in bits as links are sold.
func spellRate(r units.Rate) string {
	v := float64(r) * 8
	for _, u := range []struct {
		of   float64
		name string
	}{{1e9, "Gbit"}, {1e6, "Mbit"}, {1e3, "kbit"}} {
		if v < u.of {
			continue
		}
		text := strconv.FormatFloat(round3(v/u.of), 'f', -1, 64) + u.name
		if back, err := units.ParseRate(text); err == nil && back == r {
			return text
		}
	}
	if r == 0 { // of a link: nothing, where ParseRate would take it for no limit
		return "0"
	}
	return r.String()
}

func roundTime(v float64) time.Duration {
	d := time.Duration(round3(v/float64(time.Millisecond)) * float64(time.Millisecond))
	if d >= 10*time.Second {
		d = d.Round(time.Second / 10)
	}
	return d
}

// spellTime writes a span as it is typed, without parts that are nothing.
func spellTime(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

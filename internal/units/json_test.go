package units

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

type both struct {
	Size Size `json:"size"`
	Rate Rate `json:"rate"`
}

func TestJSONReadsBackWhatItWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := both{Size(rapid.Int64().Draw(t, "size")), Rate(rapid.Int64().Draw(t, "rate"))}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out both
		if err := json.Unmarshal(text, &out); err != nil || out != in {
			t.Fatalf("%s reads as %+v, %v", text, out, err)
		}
	})
}

func TestJSONReadsWhatPeopleSpell(t *testing.T) {
	var got both
	if err := json.Unmarshal([]byte(`{"size":"64MiB","rate":"40Mbit"}`), &got); err != nil || got != (both{64 << 20, 5_000_000}) {
		t.Fatalf("read %+v, %v", got, err)
	}
	for _, bad := range []string{`{"size":"big"}`, `{"rate":true}`, `{"size":1.5}`, `{"rate":"5XB"}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

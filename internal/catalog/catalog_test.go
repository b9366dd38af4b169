package catalog_test

import (
	"encoding/hex"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

func entry() catalog.Entry {
	return catalog.Entry{
		Seq: 7, Time: time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC), User: 3, Actor: "ann", Action: "put",
		Object: "photos/a.jpg", Outcome: "ok", Remote: "192.0.2.7", Request: "r1", Detail: "bytes=17",
	}
}

// The hash is what auditors keep: it may never change.
func TestChainIsStable(t *testing.T) {
	const want = "1c387ab339e8eaa9be6f0f388018050655586c4e2ab0c670f1a27179a7584f46"
	sum := entry().Chain(content.Hash{1})
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("Chain = %s, was %s", got, want)
	}
}

func TestChainCoversEveryField(t *testing.T) {
	seen := map[content.Hash]string{entry().Chain(content.Hash{}): "as it is", entry().Chain(content.Hash{1}): "another before it"}
	for name, change := range map[string]func(*catalog.Entry){
		"seq":                              func(e *catalog.Entry) { e.Seq++ },
		"time":                             func(e *catalog.Entry) { e.Time = e.Time.Add(time.Microsecond) },
		"user":                             func(e *catalog.Entry) { e.User++ },
		"actor":                            func(e *catalog.Entry) { e.Actor += "x" },
		"action":                           func(e *catalog.Entry) { e.Action += "x" },
		"object":                           func(e *catalog.Entry) { e.Object += "x" },
		"outcome":                          func(e *catalog.Entry) { e.Outcome += "x" },
		"remote":                           func(e *catalog.Entry) { e.Remote += "x" },
		"request":                          func(e *catalog.Entry) { e.Request += "x" },
		"detail":                           func(e *catalog.Entry) { e.Detail += "x" },
		"a letter moved to the next field": func(e *catalog.Entry) { e.Actor, e.Action = "an", "nput" },
	} {
		e := entry()
		change(&e)
		sum := e.Chain(content.Hash{})
		if other, there := seen[sum]; there {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[sum] = name
	}
	e := entry()
	e.Time = e.Time.In(time.FixedZone("", 3600)).Add(999) // the same microsecond
	e.Hash = content.Hash{9}
	if e.Chain(content.Hash{}) != entry().Chain(content.Hash{}) {
		t.Error("the zone, nanoseconds or the hash itself count")
	}
}

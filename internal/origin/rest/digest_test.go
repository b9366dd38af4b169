package rest

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
)

const emptyDigest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"

func TestDigest(t *testing.T) {
	empty := content.Hash(sha256.Sum256(nil))
	for _, c := range []struct {
		name   string
		repr   []string
		inner  []string
		want   content.Hash
		broken bool
	}{
		{name: "nothing is said"},
		{name: "of the representation", repr: []string{emptyDigest}, want: empty},
		{name: "of the content", inner: []string{emptyDigest}, want: empty},
		{name: "both agree", repr: []string{emptyDigest}, inner: []string{emptyDigest}, want: empty},
		{name: "parameters do not matter", repr: []string{emptyDigest + ";a=1;b"}, want: empty},
		{name: "another algorithm beside it", repr: []string{"md5=:1B2M2Y8AsgTpgAmY7PhCfg==: , " + emptyDigest}, want: empty},
		{name: "another algorithm alone says nothing", repr: []string{"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"}},
		{name: "on two lines", repr: []string{"unixsum=:AA==:", emptyDigest}, want: empty},
		{name: "they disagree", repr: []string{emptyDigest}, inner: []string{digestField([32]byte{1})}, broken: true},
		{name: "without colons", repr: []string{"sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, broken: true},
		{name: "one colon alone", repr: []string{"sha-256=:"}, broken: true},
		{name: "hex", repr: []string{"sha-256=:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855:"}, broken: true},
		{name: "too short", repr: []string{"sha-256=:AA==:"}, broken: true},
		{name: "a key in capitals", repr: []string{"SHA-256=:AA==:"}, broken: true},
		{name: "an empty member", repr: []string{emptyDigest + ","}, broken: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := digests(http.Header{"Repr-Digest": c.repr, "Content-Digest": c.inner})
			if c.broken != errors.Is(err, fault.Invalid) || !c.broken && err != nil {
				t.Fatalf("error %v", err)
			}
			if err == nil && got != c.want {
				t.Errorf("got %x, want %x", got, c.want)
			}
		})
	}
}

func FuzzDigest(f *testing.F) {
	for _, seed := range []string{emptyDigest, "a=:AA==:,sha-256=::;x", "sha-256=:AA==", `a="x,y"`, "*=:/w==:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		sum, ok, err := parseDigest(field)
		if err != nil || !ok {
			return
		}
		if again, ok, err := parseDigest(digestField(sum)); err != nil || !ok || again != sum {
			t.Errorf("%q gives %x, which read again is %x, %v", field, sum, again, err)
		}
	})
}

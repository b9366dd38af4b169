package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/store/s3"
)

func none(string) string { return "" }

func TestParseReadsEveryPart(t *testing.T) {
	c, err := s3.Parse("s3://key:se%2Fcret@127.0.0.1:7070/bucket?secure=0&region=eu-1&prefix=/a/b", none)
	if err != nil {
		t.Fatal(err)
	}
	if c.Endpoint != "127.0.0.1:7070" || c.Secure || c.Region != "eu-1" || c.Bucket != "bucket" || c.Prefix != "a/b/" || c.Key != "key" {
		t.Errorf("%+v", c)
	}
}

func TestParseTakesTheRestFromTheEnvironment(t *testing.T) {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "key", "TANDEM_S3_SECRET": "secret", "AWS_REGION": "eu-2"}
	c, err := s3.Parse("s3://host/bucket", func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Key != "key" || c.Region != "eu-2" || !c.Secure || c.Prefix != "" {
		t.Errorf("%+v", c)
	}
}

func TestNoErrorAndNoPrintShowsTheSecret(t *testing.T) {
	for name, raw := range map[string]string{
		"not a URL":          "s3://key:hush@ho st/b",
		"a bad escape":       "s3://key:hush%@host/b",
		"another scheme":     "http://key:hush@host/b",
		"no host":            "s3://key:hush@/b",
		"no bucket":          "s3://key:hush@host/",
		"a folder":           "s3://key:hush@host/b/c",
		"an unknown setting": "s3://key:hush@host/b?acl=public",
		"a setting twice":    "s3://key:hush@host/b?prefix=a&prefix=b",
		"secure what":        "s3://key:hush@host/b?secure=perhaps",
		"a bad query":        "s3://key:hush@host/b?prefix=%zz",
		"a fragment":         "s3://key:hush@host/b#hush",
		"no key":             "s3://:hush@host/b",
		"no secret":          "s3://key@host/b",
	} {
		_, err := s3.Parse(raw, none)
		if !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := s3.Parse("s3://key:hush@host/b", none)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("open", "blobs", c, "pointer", &c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		log.WriteString(fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c))
	}
	if strings.Contains(log.String(), "hush") || strings.Contains(log.String(), "68757368") || !strings.Contains(log.String(), "s3://host/b") {
		t.Errorf("printed: %s", log.String())
	}
}

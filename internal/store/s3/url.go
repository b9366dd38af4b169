package s3

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"

	"tandem/internal/fault"
)

// Config says where the bucket is and how to get in. It prints without its
// secret, and is logged so.
type Config struct {
	Endpoint string // HOST or HOST:PORT
	Secure   bool   // https
	Region   string
	Bucket   string
	Prefix   string // in front of every name; empty or ending with "/"

	Key    string
	secret string
}

// Parse reads a URL of the form
//
//	s3://KEY:SECRET@HOST:PORT/BUCKET?secure=0&region=us-east-1&prefix=...
//
// Secure is 1 unless said otherwise. What the URL leaves out comes from the
// environment: TANDEM_S3_KEY or AWS_ACCESS_KEY_ID, TANDEM_S3_SECRET or
// AWS_SECRET_ACCESS_KEY, AWS_REGION. Errors are of kind fault.Invalid and do not
// hold the URL, of which the secret is a part.
func Parse(raw string, getenv func(string) string) (Config, error) {
	u, err := url.Parse(raw)
	if err != nil { // its text holds the URL
		return Config{}, fault.Errorf(fault.Invalid, "object store URL: cannot be read; the form is s3://KEY:SECRET@HOST:PORT/BUCKET, with %%-escapes in the secret")
	}
	c := Config{Endpoint: u.Host, Secure: true, Region: "us-east-1", Bucket: strings.Trim(u.Path, "/")}
	switch {
	case u.Scheme != "s3":
		return Config{}, fault.Errorf(fault.Invalid, "object store URL: begins with %q, not with s3://", u.Scheme)
	case u.Hostname() == "":
		return Config{}, fault.Errorf(fault.Invalid, "object store URL: names no host")
	case c.Bucket == "" || strings.Contains(c.Bucket, "/"):
		return Config{}, fault.Errorf(fault.Invalid, "object store URL: the path is to be one bucket; use ?prefix= for a folder in it")
	case u.Fragment != "" || u.Opaque != "":
		return Config{}, fault.Errorf(fault.Invalid, "object store URL: has parts that mean nothing here")
	}
	if region := getenv("AWS_REGION"); region != "" {
		c.Region = region
	}
	if err := c.query(u.RawQuery); err != nil {
		return Config{}, err
	}
	if c.Key = u.User.Username(); c.Key == "" {
		c.Key = first(getenv, "TANDEM_S3_KEY", "AWS_ACCESS_KEY_ID")
	}
	if c.secret, _ = u.User.Password(); c.secret == "" {
		c.secret = first(getenv, "TANDEM_S3_SECRET", "AWS_SECRET_ACCESS_KEY")
	}
	if c.Key == "" || c.secret == "" {
		return Config{}, fault.Errorf(fault.Invalid, "object store URL: no key or no secret; set TANDEM_S3_KEY and TANDEM_S3_SECRET, or write them into the URL")
	}
	return c, nil
}

// query reads what stands behind the question mark.
func (c *Config) query(raw string) error {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return fault.Errorf(fault.Invalid, "object store URL: what follows ? cannot be read")
	}
	for name, values := range q {
		value := values[0]
		switch {
		case len(values) > 1:
			return fault.Errorf(fault.Invalid, "object store URL: %q stands twice", name)
		case name == "secure":
			if c.Secure, err = strconv.ParseBool(value); err != nil {
				return fault.Errorf(fault.Invalid, "object store URL: secure is 0 or 1")
			}
		case name == "region" && value != "":
			c.Region = value
		case name == "prefix":
			if c.Prefix = strings.Trim(value, "/"); c.Prefix != "" {
				c.Prefix += "/"
			}
		default:
			return fault.Errorf(fault.Invalid, "object store URL: %q means nothing here; there are secure, region and prefix", name)
		}
	}
	return nil
}

func first(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// String returns the URL without key and secret.
func (c Config) String() string {
	return fmt.Sprintf("s3://%s/%s?secure=%t&region=%s&prefix=%s", c.Endpoint, c.Bucket, c.Secure, url.QueryEscape(c.Region), url.QueryEscape(c.Prefix))
}

// Format prints String, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

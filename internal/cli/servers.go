package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin/client"
)

// savedServer is a server somebody has signed in at.
type savedServer struct {
	Name   string `json:"name"` // how it is called on the command line
	URL    string `json:"url"`
	User   string `json:"user"`
	Secret string `json:"secret"` // of the session or API token
	Token  bool   `json:"token,omitempty"`
	CA     string `json:"ca,omitempty"` // PEM of what its certificate is checked against, beside the system's
}

// serverBook is servers.json.
type serverBook struct {
	Version int           `json:"version"`
	Default string        `json:"default,omitempty"` // name of the last one signed in at
	Servers []savedServer `json:"servers"`
}

func (a *app) bookPath() (string, error) {
	dir := configDir(a.getenv)
	if dir == "" {
		return "", fault.Errorf(fault.NotFound, "no configuration folder: neither TANDEM_CONFIG_DIR nor HOME is set")
	}
	return filepath.Join(dir, "servers.json"), nil
}

// loadBook reads who has signed in where; none is no error.
func (a *app) loadBook() (*serverBook, error) {
	b := &serverBook{Version: 1}
	path, err := a.bookPath()
	if err != nil {
		return b, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, fault.Wrap(fault.Permission, fmt.Errorf("read credentials: %w", err))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(b); err != nil || b.Version != 1 {
		return b, withHint("remove the file and sign in again: tandem login URL",
			fault.Errorf(fault.Invalid, "read credentials: %s is not of this program", path))
	}
	return b, nil
}

// save writes the book so that only its owner can read it, at once or not at all.
func (a *app) saveBook(b *serverBook) error {
	path, err := a.bookPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save credentials: %w", err)
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "servers-*.json") // 0600
	if err != nil {
		return fault.Wrap(fault.Permission, fmt.Errorf("save credentials: %w", err))
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("save credentials: %w", err)
	}
	return nil
}

// put adds or replaces what is known of a server and makes it the default.
func (b *serverBook) put(s savedServer) {
	b.Servers = slices.DeleteFunc(b.Servers, func(o savedServer) bool { return o.Name == s.Name })
	b.Servers = append(b.Servers, s)
	b.Default = s.Name
}

// nameFor returns what a server is to be called: what it was called before, or its host, with the
// port where another one has that.
func (b *serverBook) nameFor(u *url.URL) string {
	text := strings.TrimSuffix(u.String(), "/")
	taken := false
	for _, s := range b.Servers {
		if s.URL == text {
			return s.Name
		}
		taken = taken || s.Name == u.Hostname()
	}
	if taken || strings.Contains(u.Hostname(), ":") {
		return u.Host
	}
	return u.Hostname()
}

// find returns the server that text names: a name, a URL, or "" for the default.
func (b *serverBook) find(text string) (savedServer, error) {
	if text == "" {
		text = b.Default
	}
	if text == "" {
		return savedServer{}, fault.Wrap(fault.Unauthenticated, errNoLogin)
	}
	for _, s := range b.Servers {
		if s.Name == text {
			return s, nil
		}
	}
	if u, err := client.ParseURL(text); err == nil {
		for _, s := range b.Servers {
			if s.URL == strings.TrimSuffix(u.String(), "/") {
				return s, nil
			}
		}
		return savedServer{}, withHint("sign in: tandem login "+text+" --user NAME",
			fault.Errorf(fault.Unauthenticated, "nobody has signed in at %s", text))
	}
	for _, s := range b.Servers {
		if u, err := url.Parse(s.URL); err == nil && u.Host == text {
			return s, nil
		}
	}
	names := make([]string, len(b.Servers))
	for i, s := range b.Servers {
		names[i] = s.Name
	}
	hint := "sign in: tandem login URL --user NAME"
	if len(names) > 0 {
		hint += "; known are: " + strings.Join(names, ", ")
	}
	return savedServer{}, withHint(hint, fault.Errorf(fault.Unauthenticated, "nobody has signed in at a server called %s", text))
}

// errNoLogin is for commands that need a server.
var errNoLogin = fault.Errorf(fault.Unauthenticated, "nobody has signed in at a server yet")

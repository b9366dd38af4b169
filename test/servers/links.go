package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Link is what tandem link --json prints.
type Link struct {
	ID   int64  `json:"id"`
	URL  string `json:"url"`  // HOST/s/TOKEN
	Link string `json:"link"` // URL#TICKET or URL#MAGNET
}

// MakeLink links to what the arguments of tandem link say, and waits as that does.
func (s *Server) MakeLink(ctx context.Context, args ...string) (Link, error) {
	return s.link(ctx, append([]string{"link", "--json"}, args...)...)
}

// ShowLink is the link as it is handed out now: it names who has the content.
func (s *Server) ShowLink(ctx context.Context, l Link) (Link, error) {
	return s.link(ctx, "link", "show", "--json", strconv.FormatInt(l.ID, 10))
}

func (s *Server) link(ctx context.Context, args ...string) (l Link, err error) {
	text, err := s.Opts.Run(ctx, args...)
	if err != nil {
		return l, err
	}
	for line := range strings.Lines(text) {
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return l, fmt.Errorf("link: %w in %q", err, line)
		}
	}
	if l.URL == "" {
		return l, fmt.Errorf("link: no URL in %q", text)
	}
	return l, nil
}

// Revoke takes a link back.
func (s *Server) Revoke(ctx context.Context, l Link) error {
	_, err := s.Opts.Run(ctx, "link", "rm", strconv.FormatInt(l.ID, 10))
	return err
}

// Publish makes a collection and puts a file or folder of this machine into it.
func (s *Server) Publish(ctx context.Context, collection string, paths ...string) error {
	if _, err := s.Opts.Run(ctx, "collection", "create", collection); err != nil {
		return err
	}
	_, err := s.Opts.Run(ctx, append(append([]string{"put"}, paths...), collection)...)
	return err
}

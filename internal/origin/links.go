package origin

import (
	"context"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/peer"
)

type linkDesk struct{}

// LinkRequest makes a link.
type LinkRequest struct {
	At           Place
	Kind         catalog.LinkKind
	Audience     peer.Audience // zero: peer.Link
	Expires      time.Time     // zero: never
	Password     string        // "": none
	MaxDownloads int64
	MaxBytes     int64
	Note         string
}

// LinkView is a link as those see it who may manage it.
type LinkView struct {
	Link catalog.Link
	At   Place
	Live bool // what it leads to is not in the trash
	By   string
}

// CreateLink makes a link: a share link needs Read, an upload link Publish. A public link makes its .torrent in the background.
func (s *Server) CreateLink(ctx context.Context, c Caller, r LinkRequest) (LinkView, error) {
	return LinkView{}, errNotBuilt
}

// Links returns the caller's links, or with a collection all of it to who administers it.
func (s *Server) Links(ctx context.Context, c Caller, collection string) ([]LinkView, error) {
	return nil, errNotBuilt
}

func (s *Server) LinkInfo(ctx context.Context, c Caller, id catalog.LinkID) (LinkView, error) {
	return LinkView{}, errNotBuilt
}

// LinkChange is what UpdateLink changes; nil leaves it.
type LinkChange struct {
	Expires      *time.Time
	Password     *string
	MaxDownloads *int64
	Note         *string
}

func (s *Server) UpdateLink(ctx context.Context, c Caller, id catalog.LinkID, change LinkChange) (LinkView, error) {
	return LinkView{}, errNotBuilt
}

func (s *Server) RevokeLink(ctx context.Context, c Caller, id catalog.LinkID) error {
	return errNotBuilt
}

// ByLink completes c with the link that token names; what the link allows is decided by the methods that take the
// Caller. proof is what UnlockLink gave, "" otherwise. An unknown token is fault.NotFound, an expired or revoked link
// or one whose file is gone is fault.Gone. Guessing is limited. Locked links pass, with
// Subject.Link.Locked set; every method but UnlockLink then answers fault.Unauthenticated.
func (s *Server) ByLink(ctx context.Context, c Caller, token, proof string) (Caller, error) {
	return c, errNotBuilt
}

// UnlockLink checks a link's password and returns a proof that holds for a day on all instances, until the password
// changes. Wrong ones are limited as logins are.
func (s *Server) UnlockLink(ctx context.Context, c Caller, token, password string) (proof string, _ error) {
	return "", errNotBuilt
}

// Torrent returns the .torrent of a public link. fault.Busy while it is being made.
func (s *Server) Torrent(ctx context.Context, c Caller) (torrent []byte, name string, _ error) {
	return nil, "", errNotBuilt
}

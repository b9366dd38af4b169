package origin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// Limits on what is said of a link.
const (
	maxLinkNote     = 500
	maxLinkPassword = 256
	tokenChars      = 22 // of 62: 131 bits
	mostCopies      = 100
)

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
	Copies       int    // live copies wanted beside the server's
	Torrent      []byte // of content that is still to be uploaded to At
	V1           bool   // public only: a .torrent without the v2 half
}

// LinkView is a link as those see it who may manage it.
type LinkView struct {
	Link catalog.Link
	At   Place
	Live bool // what it leads to is not in the trash
	By   string

	Ready   bool // Fragment is final
	Pending bool // the content is still being uploaded
	Holders int  // live copies now, the server's left out
	Served  Served

	// What Fragment makes the link of: a ticket, or a share that is public.
	ticket string
	share  *shared
	addrs  []netip.AddrPort
	name   string
	single bool
}

// check refuses what makes no sense.
func (r *LinkRequest) check(now time.Time) error {
	if r.Audience == 0 {
		r.Audience = peer.Link
	}
	public := r.Audience == peer.Public
	switch {
	case r.Kind != catalog.ShareLink && r.Kind != catalog.UploadLink:
		return fault.Errorf(fault.Invalid, "link: a kind %q is neither share nor upload", plain(string(r.Kind), 20))
	case !public && r.Audience != peer.Link:
		return fault.Errorf(fault.Invalid, "link: its audience is neither link nor public")
	case public && r.Kind == catalog.UploadLink:
		return fault.Errorf(fault.Invalid, "link: an upload link cannot be public")
	case public && r.Password != "":
		return fault.Errorf(fault.Invalid, "link: a public link cannot have a password: its content is for anybody who runs BitTorrent")
	case public && r.MaxDownloads > 0:
		return fault.Errorf(fault.Invalid, "link: downloads of a public link cannot be limited: its content is for anybody who runs BitTorrent")
	case r.Kind == catalog.UploadLink && r.MaxDownloads != 0 || r.Kind == catalog.ShareLink && r.MaxBytes != 0:
		return fault.Errorf(fault.Invalid, "link: downloads are limited for share links, bytes for upload links")
	case r.MaxDownloads < 0 || r.MaxBytes < 0:
		return fault.Errorf(fault.Invalid, "link: a limit below zero")
	case r.Copies < 0 || r.Copies > mostCopies || r.Copies > 0 && r.Kind != catalog.ShareLink:
		return fault.Errorf(fault.Invalid, "link: copies are for share links, 0 to %d", mostCopies)
	case r.V1 && !public:
		return fault.Errorf(fault.Invalid, "link: only a public link can be without its v2 half")
	}
	return checkLinkTexts(&r.Expires, r.Password, r.Note, now)
}

func checkLinkTexts(expires *time.Time, password, note string, now time.Time) error {
	if !expires.IsZero() {
		if !expires.After(now) {
			return fault.Errorf(fault.Invalid, "link: it would end in the past")
		}
		if *expires = canonicalTime(*expires); expires.IsZero() {
			return fault.Errorf(fault.Invalid, "link: it would end after the year 9999")
		}
	}
	if len(password) > maxLinkPassword {
		return fault.Errorf(fault.Invalid, "link: a password longer than %d bytes", maxLinkPassword)
	}
	if len(note) > maxLinkNote || !utf8.ValidString(note) || strings.ContainsRune(note, 0) {
		return fault.Errorf(fault.Invalid, "link: a note longer than %d bytes, or not text", maxLinkNote)
	}
	return nil
}

// needs is what a link of a kind allows, and so what its maker must be allowed.
func needs(k catalog.LinkKind) policy.Action {
	if k == catalog.UploadLink {
		return policy.PublishFile
	}
	return policy.ReadFile
}

// CreateLink makes a link: a share link needs Read, an upload link Publish. A public link makes its .torrent in the background.
func (s *Server) CreateLink(ctx context.Context, c Caller, r LinkRequest) (LinkView, error) {
	object := asked(c, r.At)
	l, sh, err := s.newLink(ctx, c, &r)
	if err != nil {
		s.refuse(ctx, c, "link", object, err)
		return LinkView{}, err
	}
	var id catalog.LinkID
	err = s.change(ctx, c, "link", object, func(tx *catalog.Tx) (string, error) {
		p, n, err := s.linkable(tx, c, r)
		if err != nil {
			return "", err
		}
		l.Node, l.By = n.ID, c.User.ID
		if sh != nil {
			id, err = pendingLink(tx, l, sh, p)
		} else {
			id, err = tx.Links.CreateLink(l)
		}
		return fmt.Sprintf("link=%d kind=%s audience=%s", id, l.Kind, l.Audience), err
	})
	if err != nil {
		return LinkView{}, err
	}
	if l.Torrent == catalog.TorrentWanted {
		s.links.wake()
	}
	return s.LinkInfo(ctx, c, id)
}

// newLink does what needs no transaction, and takes long: the password. Who may not make the link has no
// password hashed.
func (s *Server) newLink(ctx context.Context, c Caller, r *LinkRequest) (l catalog.Link, pending *shared, _ error) {
	now := s.now()
	if err := r.check(now); err != nil {
		return l, nil, err
	}
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		_, _, err := s.linkable(tx, c, *r)
		return err
	})
	if err == nil && len(r.Torrent) > 0 {
		pending, err = r.checkPending()
	}
	if err != nil {
		return l, nil, err
	}
	l = catalog.Link{
		Kind: r.Kind, Audience: r.Audience, Created: now, Expires: r.Expires,
		MaxDownloads: r.MaxDownloads, MaxBytes: r.MaxBytes, Note: r.Note, Copies: r.Copies, V1: r.V1,
	}
	if r.Kind == catalog.ShareLink && pending == nil {
		l.Torrent = catalog.TorrentWanted
	}
	if l.Token, err = s.linkToken(); err != nil {
		return l, nil, err
	}
	if r.Password != "" {
		l.Password, err = s.hashPassword(ctx, r.Password)
	}
	return l, pending, err
}

// linkable finds what a link may be made of.
func (s *Server) linkable(tx *catalog.Tx, c Caller, r LinkRequest) (p spot, n catalog.Node, _ error) {
	p, err := s.find(tx, c, needs(r.Kind), r.At)
	if err != nil {
		return p, n, err
	}
	if err := notByLink(c); err != nil {
		return p, n, err
	}
	if len(r.Torrent) > 0 { // its content is still to come
		if err := s.may(tx, c, policy.PublishFile, p.col); err != nil {
			return p, n, err
		}
		return p, n, p.creatable()
	}
	n, err = p.node(tx)
	if err == nil && r.Kind == catalog.UploadLink && !n.Folder {
		err = fault.Errorf(fault.Invalid, "link: %s is a file; files are uploaded into folders", p.at(p.names))
	}
	return p, n, err
}

// linkToken draws a token: letters and digits alone, so that no program cuts an address short.
func (s *Server) linkToken() (string, error) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	token := make([]byte, 0, tokenChars)
	var draw [2 * tokenChars]byte
	for {
		if err := s.random(draw[:]); err != nil {
			return "", fmt.Errorf("random: %w", err)
		}
		for _, b := range draw {
			if b >= 4*byte(len(alphabet)) { // so that each character is equally likely
				continue
			}
			if token = append(token, alphabet[int(b)%len(alphabet)]); len(token) == tokenChars {
				return string(token), nil
			}
		}
	}
}

// viewLink shows a link. missing: of what it hands out something has to be written down first.
func (s *Server) viewLink(tx *catalog.Tx, who authors, l catalog.Link, k *keys) (v LinkView, missing bool, _ error) {
	v = LinkView{Link: l}
	if l.Pending != "" {
		v.At.Path, v.Live = l.Pending, true
		v.name = l.Pending[strings.LastIndexByte(l.Pending, '/')+1:]
	} else if n, err := tx.Tree.Node(l.Node); err == nil {
		v.name, v.single = n.Name, !n.Folder
	}
	names, live, err := tx.Tree.Path(l.Node)
	switch {
	case l.Pending != "":
	case errors.Is(err, fault.NotFound): // purged
	case err != nil:
		return v, false, err
	default:
		v.At.Path, v.Live = joinNames(names), live
	}
	col, err := tx.Collections.Collection(l.Collection)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return v, false, err
	}
	if v.At.Collection = col.Name; v.name == "" {
		v.name = col.Name
	}
	if v.By, err = who.of(tx, l.By); err != nil {
		return v, false, err
	}
	served, err := tx.Ledger.LinkServed(l.ID)
	if err != nil {
		return v, false, err
	}
	v.Served = Served(served)
	missing, err = s.handOut(tx, &v, k)
	return v, missing, err
}

// viewLinks shows links that list returns.
func (s *Server) viewLinks(ctx context.Context, list func(*catalog.Tx) ([]catalog.Link, error)) ([]LinkView, error) {
	k, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	for again := range 2 {
		var out []LinkView
		var missing []catalog.LinkID
		err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
			out, missing = nil, nil
			links, err := list(tx)
			if err != nil {
				return err
			}
			who := authors{}
			for _, l := range links {
				v, lacks, err := s.viewLink(tx, who, l, k)
				if err != nil {
					return fmt.Errorf("link %d: %w", l.ID, err)
				}
				if out = append(out, v); lacks {
					missing = append(missing, l.ID)
				}
			}
			return nil
		})
		if err != nil || len(missing) == 0 || again > 0 {
			return out, err
		}
		if err := s.issueBearers(ctx, missing); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Links returns the caller's links, or with a collection all of it to who administers it.
func (s *Server) Links(ctx context.Context, c Caller, collection string) ([]LinkView, error) {
	return s.viewLinks(ctx, func(tx *catalog.Tx) ([]catalog.Link, error) { return s.linksOf(tx, c, collection) })
}

func (s *Server) linksOf(tx *catalog.Tx, c Caller, collection string) ([]catalog.Link, error) {
	if err := notByLink(c); err != nil {
		return nil, err
	}
	if collection != "" {
		p, err := s.find(tx, c, policy.AdministerCollection, Place{Collection: collection})
		if err != nil {
			return nil, err
		}
		return tx.Links.LinksIn(p.col.ID)
	}
	account := s.may(tx, c, policy.UseAccount, catalog.Collection{})
	if errors.Is(account, fault.Unauthenticated) {
		return nil, account
	}
	all, err := tx.Links.LinksOf(c.User.ID)
	if err != nil || account == nil {
		return all, err
	}
	var out []catalog.Link // a token sees the links it could have made
	for _, l := range all {
		if s.manages(tx, c, l) == nil {
			out = append(out, l)
		}
	}
	return out, nil
}

// manages says whether c may see and change a link: its maker, or who administers the collection.
func (s *Server) manages(tx *catalog.Tx, c Caller, l catalog.Link) error {
	if l.By == c.User.ID && s.may(tx, c, policy.UseAccount, catalog.Collection{}) == nil {
		return nil
	}
	col, err := tx.Collections.Collection(l.Collection)
	if err != nil {
		return err
	}
	if l.By == c.User.ID && s.may(tx, c, needs(l.Kind), col) == nil {
		return nil
	}
	return s.may(tx, c, policy.AdministerCollection, col)
}

// managed finds a link that c may manage. Another's is as absent.
func (s *Server) managed(tx *catalog.Tx, c Caller, id catalog.LinkID) (catalog.Link, error) {
	absent := fault.Errorf(fault.NotFound, "link %d: there is none of that number", id)
	if err := notByLink(c); err != nil {
		return catalog.Link{}, err
	}
	if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); errors.Is(err, fault.Unauthenticated) {
		return catalog.Link{}, err
	}
	l, err := tx.Links.Link(id)
	if errors.Is(err, fault.NotFound) {
		return l, absent
	}
	if err != nil {
		return l, fmt.Errorf("link %d: %w", id, err)
	}
	err = s.manages(tx, c, l)
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Permission) {
		return catalog.Link{}, absent
	}
	return l, err
}

// LinkInfo returns a link to who may manage it; fault.NotFound otherwise.
func (s *Server) LinkInfo(ctx context.Context, c Caller, id catalog.LinkID) (LinkView, error) {
	v, err := s.linkInfo(ctx, c, id)
	if err != nil {
		return v, err
	}
	if err := s.refresh(ctx, v.Link); err != nil {
		return v, err
	}
	return s.linkInfo(ctx, c, id)
}

// linkInfo is LinkInfo without a look at whether the content has changed.
func (s *Server) linkInfo(ctx context.Context, c Caller, id catalog.LinkID) (LinkView, error) {
	list, err := s.viewLinks(ctx, func(tx *catalog.Tx) ([]catalog.Link, error) {
		l, err := s.managed(tx, c, id)
		return []catalog.Link{l}, err
	})
	if err != nil {
		return LinkView{}, err
	}
	return list[0], nil
}

// LinkChange is what UpdateLink changes; nil leaves it.
type LinkChange struct {
	Expires      *time.Time
	Password     *string
	MaxDownloads *int64
	Note         *string
}

// UpdateLink changes a link. A new password ends what was unlocked with the old one.
func (s *Server) UpdateLink(ctx context.Context, c Caller, id catalog.LinkID, change LinkChange) (LinkView, error) {
	var v LinkView
	object := fmt.Sprintf("link %d", id)
	phc, err := s.newLinkPassword(ctx, c, id, &change)
	if err != nil {
		s.refuse(ctx, c, "link-update", object, err)
		return v, err
	}
	err = s.changeAccess(ctx, c, "link-update", object, func(tx *catalog.Tx) (string, error) {
		l, err := s.managed(tx, c, id)
		if err != nil {
			return "", err
		}
		if err := change.apply(&l, phc); err != nil {
			return "", err
		}
		return "", tx.Links.UpdateLink(l)
	})
	if err != nil {
		return v, err
	}
	return s.linkInfo(ctx, c, id)
}

// newLinkPassword checks a change and hashes its password, for who may.
func (s *Server) newLinkPassword(ctx context.Context, c Caller, id catalog.LinkID, change *LinkChange) (phc string, _ error) {
	var expires time.Time
	var password, note string
	if change.Expires != nil {
		expires = *change.Expires
	}
	if change.Password != nil {
		password = *change.Password
	}
	if change.Note != nil {
		note = *change.Note
	}
	if err := checkLinkTexts(&expires, password, note, s.now()); err != nil {
		return "", err
	}
	if change.Expires != nil {
		change.Expires = &expires
	}
	if password == "" {
		return "", nil
	}
	if _, err := s.linkInfo(ctx, c, id); err != nil {
		return "", err
	}
	return s.hashPassword(ctx, password)
}

// apply changes l; phc is the new password's.
func (change LinkChange) apply(l *catalog.Link, phc string) error {
	if change.Expires != nil {
		l.Expires = *change.Expires
	}
	if change.Password != nil {
		l.Password = phc
	}
	if change.MaxDownloads != nil {
		if *change.MaxDownloads < 0 || *change.MaxDownloads > 0 && l.Kind != catalog.ShareLink {
			return fault.Errorf(fault.Invalid, "link: downloads are limited for share links, and not below zero")
		}
		l.MaxDownloads = *change.MaxDownloads
	}
	if change.Note != nil {
		l.Note = *change.Note
	}
	if l.Audience == peer.Public && (l.Password != "" || l.MaxDownloads > 0) {
		return fault.Errorf(fault.Invalid, "link: a public link has neither a password nor a limit of downloads")
	}
	return nil
}

// RevokeLink ends a link for good, also for downloads under way. Revoking it again is fine.
func (s *Server) RevokeLink(ctx context.Context, c Caller, id catalog.LinkID) error {
	return s.changeAccess(ctx, c, "link-revoke", fmt.Sprintf("link %d", id), func(tx *catalog.Tx) (string, error) {
		l, err := s.managed(tx, c, id)
		if err != nil || !l.Revoked.IsZero() {
			return "", err
		}
		l.Revoked = s.now()
		return "", tx.Links.UpdateLink(l)
	})
}

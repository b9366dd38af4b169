package origin

import (
	"context"
	"errors"
	"fmt"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// may is the one place where policy decides. It returns nil, or fault.Unauthenticated,
// fault.Permission, fault.Gone (of a link), or, for who may not know that col
// exists, the error of a collection that does not. Account and grants are read anew in tx;
// col is the zero Collection for actions on the server.
func (s *Server) may(tx *catalog.Tx, c Caller, a policy.Action, col catalog.Collection) error {
	sub, obj, err := s.subject(tx, c, col)
	if err != nil {
		return err
	}
	d := policy.Decide(sub, a, obj, s.now())
	if d.Allow {
		return nil
	}
	return refusal(c, a, col, d)
}

// MayOperate says whether c may see how the server does: its metrics. It is for routes that ask no
// other method.
func (s *Server) MayOperate(ctx context.Context, c Caller) error {
	return s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		return s.may(tx, c, policy.Operate, catalog.Collection{})
	})
}

// rights returns what c may do on col: what may would let pass, as a set.
func (s *Server) rights(tx *catalog.Tx, c Caller, col catalog.Collection) (policy.Rights, error) {
	sub, obj, err := s.subject(tx, c, col)
	if err != nil {
		return 0, err
	}
	return policy.RightsOn(sub, obj, s.now()), nil
}

// subject reads what a decision about c needs as it is now.
func (s *Server) subject(tx *catalog.Tx, c Caller, col catalog.Collection) (policy.Subject, policy.Object, error) {
	sub := c.Subject
	obj := policy.Object{Collection: int64(col.ID), Owner: int64(col.Owner)}
	if sub.Link != nil {
		link, err := s.linkSubject(tx, *sub.Link, col)
		sub.Link = &link
		return sub, obj, err
	}
	if !sub.Known {
		return sub, obj, nil
	}
	u, err := tx.Accounts.User(catalog.UserID(sub.User))
	if errors.Is(err, fault.NotFound) {
		sub.Known = false
		return sub, obj, nil
	}
	if err != nil {
		return sub, obj, fmt.Errorf("read account: %w", err)
	}
	sub.Role, sub.Disabled = u.Role, u.Disabled
	if col.ID != 0 && sub.Role != policy.Admin && obj.Owner != sub.User {
		obj.Granted, err = tx.Collections.Granted(col.ID, u.ID, s.now())
		if err != nil {
			return sub, obj, fmt.Errorf("read grants: %w", err)
		}
	}
	return sub, obj, nil
}

// linkSubject reads anew what the link's creator may do today. That the link itself stands
// (revoked, expired, used up) is as ByLink found it, or renew after it.
func (s *Server) linkSubject(tx *catalog.Tx, l policy.Link, col catalog.Collection) (policy.Link, error) {
	u, err := tx.Accounts.User(catalog.UserID(l.Creator.User))
	if errors.Is(err, fault.NotFound) {
		l.Creator.Known = false
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("read account: %w", err)
	}
	l.Creator = accountSubject(u)
	if col.ID != 0 {
		l.CreatorRights, err = tx.Collections.Granted(col.ID, u.ID, s.now())
		if err != nil {
			return l, fmt.Errorf("read grants: %w", err)
		}
	}
	return l, nil
}

// accountSubject is u itself, not narrowed by a token.
func accountSubject(u catalog.User) policy.Subject {
	return policy.Subject{
		Known: true, User: int64(u.ID), Role: u.Role, Disabled: u.Disabled,
		Limit: policy.AllRights, Server: true,
	}
}

// collection finds a collection by name and asks whether c may do a on it. The name must be canonical.
func (s *Server) collection(tx *catalog.Tx, c Caller, a policy.Action, name string) (catalog.Collection, error) {
	col, err := tx.Collections.CollectionByName(name)
	if errors.Is(err, fault.NotFound) {
		if err := s.may(tx, c, policy.ListFiles, catalog.Collection{}); errors.Is(err, fault.Unauthenticated) {
			return catalog.Collection{}, err
		}
		return catalog.Collection{}, errNoCollection(name)
	}
	if err != nil {
		return catalog.Collection{}, fmt.Errorf("collection %q: %w", name, err)
	}
	err = s.may(tx, c, a, col)
	if errors.Is(err, fault.NotFound) {
		return catalog.Collection{}, errNoCollection(name)
	}
	return col, err
}

// named is collection for methods about the collection itself. To a link there
// is none: what it leads to is found by its node, and its maker's rights are not its holder's.
func (s *Server) named(tx *catalog.Tx, c Caller, a policy.Action, name string) (catalog.Collection, error) {
	if c.Link != nil {
		return catalog.Collection{}, errNoCollection(name)
	}
	return s.collection(tx, c, a, name)
}

// errNoCollection is the answer for a collection that is absent, and for one that
// the caller may not know of.
func errNoCollection(name string) error {
	return fault.Errorf(fault.NotFound, "collection %q: there is none of that name", name)
}

// refused is a decision of policy as an error.
type refused struct {
	kind   fault.Kind
	reason policy.Reason
	text   string
}

func (r *refused) Error() string        { return r.text }
func (r *refused) Is(target error) bool { return target == error(r.kind) }
func (r *refused) Unwrap() error        { return r.kind }

// refusal says in words why d is no.
func refusal(c Caller, a policy.Action, col catalog.Collection, d policy.Decision) error {
	r := &refused{kind: fault.Permission, reason: d.Reason}
	if c.Subject.Link != nil {
		r.kind, r.text = linkRefusal(d.Reason)
		return r
	}
	switch d.Reason {
	case policy.NobodyThere:
		r.kind, r.text = fault.Unauthenticated, "sign in first"
		return r
	case policy.Expired:
		r.kind, r.text = fault.Unauthenticated, "what you signed in with has expired: sign in again"
		return r
	case policy.AccountClosed:
		r.kind, r.text = fault.Unauthenticated, "the account is disabled"
		return r
	}
	if !d.Visible {
		r.kind, r.text = fault.NotFound, errNoCollection(col.Name).Error()
		return r
	}
	on := "on this server"
	if col.ID != 0 {
		on = fmt.Sprintf("in %q", col.Name)
	}
	switch d.Reason {
	case policy.RoleTooLow:
		r.text = fmt.Sprintf("%s %s: your role does not allow it", verb(a), on)
	case policy.OutOfScope:
		r.text = fmt.Sprintf("%s %s: this token was not made for it", verb(a), on)
	default:
		r.text = fmt.Sprintf("%s %s: nobody gave you that right", verb(a), on)
	}
	return r
}

func linkRefusal(why policy.Reason) (fault.Kind, string) {
	switch why {
	case policy.LinkLocked:
		return fault.Unauthenticated, "this link asks for a password"
	case policy.OutOfScope:
		return fault.Permission, "this link was not made for that"
	case policy.LinkUsedUp:
		return fault.Gone, "this link has no downloads left"
	}
	// Revoked, expired, or its creator may no longer: not the holder's business which.
	return fault.Gone, "this link has ended"
}

// verb says a as a person would.
func verb(a policy.Action) string {
	switch a {
	case policy.ListFiles:
		return "list"
	case policy.ReadFile:
		return "read"
	case policy.PublishFile:
		return "change files"
	case policy.AdministerCollection:
		return "administer"
	case policy.CreateCollection:
		return "create a collection"
	case policy.UseAccount:
		return "change your account"
	case policy.ManageUsers:
		return "manage people"
	case policy.ReadAudit:
		return "read the audit log"
	}
	return "operate"
}

// outcome is what an audit entry says of err: a policy.Reason or a fault kind.
func outcome(err error) string {
	var r *refused
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &r):
		return string(r.reason)
	}
	return fault.KindOf(err).String()
}

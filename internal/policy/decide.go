package policy

import "time"

// Decide answers whether s may do a on o at now.
func Decide(s Subject, a Action, o Object, now time.Time) Decision {
	if s.Link != nil {
		return s.Link.decide(a, o, now)
	}
	if r := s.stands(now); r != Allowed {
		return Decision{Reason: r}
	}
	if a.onServer() {
		return s.decideServer(a)
	}
	need := a.needs()
	if need == 0 || o.Collection == 0 {
		return Decision{Reason: NotGranted}
	}
	has := RightsOn(s, o, now)
	d := Decision{Visible: has != 0}
	switch {
	case has&need != 0:
		d.Allow, d.Reason = true, Allowed
	case s.reach(o)&need != 0:
		d.Reason = OutOfScope
	case s.held(o)&need != 0:
		d.Reason = RoleTooLow
	default:
		d.Reason = NotGranted
	}
	return d
}

// RightsOn returns what s may do on the collection o at now: what Decide allows, as a
// set. For a link it is what its holder may do.
func RightsOn(s Subject, o Object, now time.Time) Rights {
	if s.Link != nil {
		if s.Link.stands(o, now) != Allowed {
			return 0
		}
		return s.Link.rights(o)
	}
	if s.stands(now) != Allowed {
		return 0
	}
	return s.reach(o) & s.Limit.Full()
}

// Full returns r with what Administer brings.
func (r Rights) Full() Rights {
	if r&Administer != 0 {
		return AllRights
	}
	return r & AllRights
}

// Has says whether r holds all of need.
func (r Rights) Has(need Rights) bool { return r.Full()&need == need }

// Ceiling returns the most that an account of this role may ever do on a collection.
func (r Role) Ceiling() Rights {
	switch r {
	case Reader:
		return List | Read
	case Publisher, Admin:
		return AllRights
	}
	return 0
}

// stands says whether the account may do anything at all, whatever it is.
func (s Subject) stands(now time.Time) Reason {
	switch {
	case !s.Known:
		return NobodyThere
	case s.Disabled:
		return AccountClosed
	case !s.Expires.IsZero() && !now.Before(s.Expires):
		return Expired
	}
	return Allowed
}

// held returns what the account was given on o, whatever its role.
func (s Subject) held(o Object) Rights {
	if o.Collection == 0 {
		return 0
	}
	if s.Role == Admin || o.Owner != 0 && o.Owner == s.User {
		return AllRights
	}
	return o.Granted.Full()
}

// reach returns what the account may do on o, before a token narrows it.
func (s Subject) reach(o Object) Rights { return s.held(o) & s.Role.Ceiling() }

func (s Subject) decideServer(a Action) Decision {
	d := Decision{Visible: true}
	var least Role
	switch a {
	case UseAccount:
		least = Reader
	case CreateCollection:
		least = Publisher
	default: // ManageUsers, ReadAudit, Operate
		least = Admin
	}
	switch {
	case s.Role < least || s.Role > Admin:
		d.Reason = RoleTooLow
	case !s.Server:
		d.Reason = OutOfScope
	default:
		d.Allow, d.Reason = true, Allowed
	}
	return d
}

// onServer says whether a is on the server rather than on a collection.
func (a Action) onServer() bool { return a >= CreateCollection && a <= Operate }

// needs returns the right that a takes; none for an action nobody knows.
func (a Action) needs() Rights {
	switch a {
	case ListFiles:
		return List
	case ReadFile:
		return Read
	case PublishFile:
		return Publish
	case AdministerCollection:
		return Administer
	}
	return 0
}

// decide answers for who shows the link. That it exists is known to its holder.
func (l *Link) decide(a Action, o Object, now time.Time) Decision {
	d := Decision{Visible: true}
	need := a.needs()
	if need == 0 || need == Administer {
		d.Reason = OutOfScope
		return d
	}
	if d.Reason = l.stands(o, now); d.Reason != Allowed {
		return d
	}
	switch {
	case l.rights(o)&need != 0:
		d.Allow = true
	case l.Allows&need == 0:
		d.Reason = OutOfScope
	case l.creatorHeld(o)&need != 0:
		d.Reason = RoleTooLow
	default:
		d.Reason = NotGranted
	}
	return d
}

// stands says whether the link opens anything at all.
func (l *Link) stands(o Object, now time.Time) Reason {
	switch {
	case l.Revoked:
		return LinkRevoked
	case !l.Expires.IsZero() && !now.Before(l.Expires):
		return Expired
	}
	if r := l.Creator.stands(now); r != Allowed {
		return r
	}
	switch {
	case l.rights(o) == 0 && l.creatorHeld(o)&l.Allows != 0:
		return RoleTooLow
	case l.rights(o) == 0:
		return NotGranted
	case l.Locked:
		return LinkLocked
	case l.UsedUp:
		return LinkUsedUp
	}
	return Allowed
}

// object returns o as it is for the creator: o.Granted is about somebody else.
func (l *Link) object(o Object) Object {
	o.Granted = l.CreatorRights
	return o
}

func (l *Link) creatorHeld(o Object) Rights {
	return l.Creator.held(l.object(o)) & l.Creator.Limit.Full()
}

// rights returns what the link allows and its creator may do today. Administering is never lent.
func (l *Link) rights(o Object) Rights {
	s := l.Creator
	return l.Allows & s.reach(l.object(o)) & s.Limit.Full() & (List | Read | Publish)
}

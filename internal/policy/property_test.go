package policy_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/policy"
)

func rights() *rapid.Generator[policy.Rights] {
	return rapid.Map(rapid.Uint8(), func(b uint8) policy.Rights { return policy.Rights(b) & policy.AllRights })
}

// ends are mostly none: what has ended hides all other mistakes. So are the
// flags below that end everything.
func ends() *rapid.Generator[time.Time] {
	return rapid.SampledFrom([]time.Time{{}, {}, {}, {}, {}, noon().Add(-time.Second), noon(), noon().Add(time.Second)})
}

// role is mostly one that may something.
func role() *rapid.Generator[policy.Role] {
	return rapid.SampledFrom([]policy.Role{0, 4, policy.Reader, policy.Reader, policy.Publisher, policy.Publisher, policy.Publisher, policy.Admin})
}

func accounts() *rapid.Generator[policy.Subject] {
	return rapid.Custom(func(t *rapid.T) policy.Subject {
		return policy.Subject{
			Known: rapid.IntRange(0, 9).Draw(t, "known") > 0, User: rapid.Int64Range(0, 3).Draw(t, "user"),
			Role:     role().Draw(t, "role"),
			Disabled: rapid.IntRange(0, 9).Draw(t, "disabled") == 0,
			Limit:    rights().Draw(t, "limit"), Server: rapid.Bool().Draw(t, "server"), Expires: ends().Draw(t, "expires"),
		}
	})
}

func links() *rapid.Generator[policy.Link] {
	return rapid.Custom(func(t *rapid.T) policy.Link {
		return policy.Link{
			Allows: rights().Draw(t, "allows"), Expires: ends().Draw(t, "link expires"),
			Revoked: rapid.IntRange(0, 9).Draw(t, "revoked") == 0, Locked: rapid.IntRange(0, 9).Draw(t, "locked") == 0,
			UsedUp:  rapid.IntRange(0, 9).Draw(t, "used up") == 0,
			Creator: accounts().Draw(t, "creator"), CreatorRights: rights().Draw(t, "creator's rights"),
		}
	})
}

func objects() *rapid.Generator[policy.Object] {
	return rapid.Custom(func(t *rapid.T) policy.Object {
		return policy.Object{
			Collection: rapid.Int64Range(0, 2).Draw(t, "collection"), Owner: rapid.Int64Range(0, 3).Draw(t, "owner"),
			Granted: rights().Draw(t, "granted"),
		}
	})
}

func actions() *rapid.Generator[policy.Action] {
	return rapid.Map(rapid.Uint8Range(0, uint8(policy.Operate)+1), func(b uint8) policy.Action { return policy.Action(b) })
}

// whole is the account itself, not narrowed by what it signed in with.
func whole(s policy.Subject) policy.Subject {
	s.Limit, s.Server, s.Expires = policy.AllRights, true, time.Time{}
	return s
}

// N10: what is derived is never wider than what it is derived from.
func TestATokenIsNeverWiderThanItsAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, a, o := accounts().Draw(t, "token"), actions().Draw(t, "action"), objects().Draw(t, "object")
		token, account := policy.Decide(s, a, o, noon()), policy.Decide(whole(s), a, o, noon())
		if token.Allow && !account.Allow || token.Visible && !account.Visible {
			t.Fatalf("token: %+v, account: %+v", token, account)
		}
	})
}

func TestALinkIsNeverWiderThanItsCreator(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, a, o := links().Draw(t, "link"), actions().Draw(t, "action"), objects().Draw(t, "object")
		caller := accounts().Draw(t, "caller")
		caller.Link = &l
		link := policy.Decide(caller, a, o, noon())
		o.Granted = l.CreatorRights
		creator := policy.Decide(l.Creator, a, o, noon())
		if link.Allow && !creator.Allow {
			t.Fatalf("link: %+v, creator: %+v", link, creator)
		}
	})
}

func TestWhatEndedAllowsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, a, o := accounts().Draw(t, "account"), actions().Draw(t, "action"), objects().Draw(t, "object")
		ended := s.Disabled || !s.Known || !s.Expires.IsZero() && !noon().Before(s.Expires)
		if d := policy.Decide(s, a, o, noon()); ended && (d.Allow || d.Visible) {
			t.Fatalf("got %+v", d)
		}
		l := links().Draw(t, "link")
		ended = l.Revoked || l.Locked || l.UsedUp || l.Creator.Disabled || !l.Expires.IsZero() && !noon().Before(l.Expires)
		if d := policy.Decide(policy.Subject{Link: &l}, a, o, noon()); ended && d.Allow {
			t.Fatalf("got %+v", d)
		}
	})
}

// A grant more, a role higher or a token wider takes nothing away.
func TestMoreRightsNeverAllowLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, a, o := accounts().Draw(t, "account"), actions().Draw(t, "action"), objects().Draw(t, "object")
		more, wider := s, o
		more.Limit |= rights().Draw(t, "more limit")
		if s.Role < policy.Admin && rapid.Bool().Draw(t, "promote") {
			more.Role++
		}
		wider.Granted |= rights().Draw(t, "more granted")
		before, after := policy.Decide(s, a, o, noon()), policy.Decide(more, a, wider, noon())
		if before.Allow && !after.Allow || before.Visible && !after.Visible {
			t.Fatalf("before: %+v, after: %+v", before, after)
		}
	})
}

// Rights shown to people are exactly what is decided.
func TestRightsOnAgreesWithDecide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, o := accounts().Draw(t, "account"), objects().Draw(t, "object")
		if rapid.Bool().Draw(t, "by link") {
			l := links().Draw(t, "link")
			s.Link = &l
		}
		has := policy.RightsOn(s, o, noon())
		if s.Link != nil && has&policy.Administer != 0 {
			t.Fatalf("a link administers: %b", has)
		}
		for a, need := range map[policy.Action]policy.Rights{
			policy.ListFiles: policy.List, policy.ReadFile: policy.Read,
			policy.PublishFile: policy.Publish, policy.AdministerCollection: policy.Administer,
		} {
			d := policy.Decide(s, a, o, noon())
			if d.Allow != (has&need != 0) {
				t.Fatalf("action %d: %+v with rights %b", a, d, has)
			}
			if d.Allow != (d.Reason == policy.Allowed) || d.Allow && !d.Visible {
				t.Fatalf("action %d: %+v contradicts itself", a, d)
			}
		}
	})
}

package sqlcat

import (
	"errors"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// accounts implements catalog.Accounts.
type accounts struct{ *tx }

// fold returns what two names that differ only in case have in common.
func fold(name string) string { return strings.ToLower(name) }

const userColumns = "id, name, role, disabled, quota, used, reserved, created"

func readUser(r row, u *catalog.User) error {
	return r.to(&u.ID, &u.Name, &u.Role, &u.Disabled, &u.Quota, &u.Used, &u.Reserved, &u.Created)
}

func (a accounts) CreateUser(u catalog.User) (catalog.UserID, error) {
	id, err := a.insert(`INSERT INTO users (name, folded, role, disabled, quota, created)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		u.Name, fold(u.Name), u.Role, u.Disabled, u.Quota, u.Created)
	return catalog.UserID(id), about(err, "user %q", u.Name)
}

func (a accounts) User(id catalog.UserID) (catalog.User, error) {
	u, err := one(a.tx, readUser, "SELECT "+userColumns+" FROM users WHERE id = ?", id)
	return u, about(err, "user %d", id)
}

func (a accounts) UserByName(name string) (catalog.User, error) {
	u, err := one(a.tx, readUser, "SELECT "+userColumns+" FROM users WHERE name = ?", name)
	return u, about(err, "user %q", name)
}

func (a accounts) Users(after string, limit int) ([]catalog.User, error) {
	return list(a.tx, readUser, "SELECT "+userColumns+" FROM users WHERE name > ? ORDER BY name LIMIT ?",
		after, max(limit, 0))
}

func (a accounts) UpdateUser(u catalog.User) error {
	return about(a.must("UPDATE users SET role = ?, disabled = ?, quota = ? WHERE id = ?",
		u.Role, u.Disabled, u.Quota, u.ID), "user %d", u.ID)
}

func (a accounts) Admins() (int, error) {
	var n int
	err := a.scan(into{&n}, "SELECT COUNT(*) FROM users WHERE role = ? AND disabled = 0", policy.Admin)
	return n, err
}

func (a accounts) SetCredential(c catalog.Credential) error {
	if _, err := a.User(c.User); err != nil {
		return err
	}
	if c.Kind != catalog.Password {
		other, err := a.CredentialBySubject(c.Kind, c.Issuer, c.Subject)
		switch {
		case err == nil && other.User != c.User:
			return about(errExists, "%s credential of another user", c.Kind)
		case err != nil && !errors.Is(err, fault.NotFound):
			return err
		}
	}
	_, err := a.exec(`INSERT INTO credentials (usr, kind, issuer, subject, secret, changed) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (usr, kind, issuer, subject) DO UPDATE SET secret = excluded.secret, changed = excluded.changed`,
		c.User, c.Kind, c.Issuer, c.Subject, c.Secret, c.Changed)
	return about(err, "credential of user %d", c.User)
}

const credentialColumns = "usr, kind, issuer, subject, secret, changed"

func readCredential(r row, c *catalog.Credential) error {
	return r.to(&c.User, &c.Kind, &c.Issuer, &c.Subject, &c.Secret, &c.Changed)
}

// Credential returns the first by issuer and subject where there are several.
func (a accounts) Credential(id catalog.UserID, kind catalog.CredentialKind) (catalog.Credential, error) {
	c, err := one(a.tx, readCredential, "SELECT "+credentialColumns+
		" FROM credentials WHERE usr = ? AND kind = ? ORDER BY issuer, subject LIMIT 1", id, kind)
	return c, about(err, "%s of user %d", kind, id)
}

func (a accounts) CredentialBySubject(kind catalog.CredentialKind, issuer, subject string) (catalog.Credential, error) {
	if kind == catalog.Password { // all have the same subject
		return catalog.Credential{}, about(errNotFound, "a password by its subject")
	}
	c, err := one(a.tx, readCredential, "SELECT "+credentialColumns+
		" FROM credentials WHERE kind = ? AND issuer = ? AND subject = ? AND kind <> 'password'", kind, issuer, subject)
	return c, about(err, "%s credential", kind)
}

func readGroup(r row, g *catalog.Group) error { return r.to(&g.ID, &g.Name, &g.Created) }

func (a accounts) CreateGroup(name string, now time.Time) (catalog.GroupID, error) {
	id, err := a.insert("INSERT INTO groups (name, folded, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
		name, fold(name), now)
	return catalog.GroupID(id), about(err, "group %q", name)
}

func (a accounts) Group(id catalog.GroupID) (catalog.Group, error) {
	g, err := one(a.tx, readGroup, "SELECT id, name, created FROM groups WHERE id = ?", id)
	return g, about(err, "group %d", id)
}

func (a accounts) GroupByName(name string) (catalog.Group, error) {
	g, err := one(a.tx, readGroup, "SELECT id, name, created FROM groups WHERE name = ?", name)
	return g, about(err, "group %q", name)
}

func (a accounts) Groups(after string, limit int) ([]catalog.Group, error) {
	return list(a.tx, readGroup, "SELECT id, name, created FROM groups WHERE name > ? ORDER BY name LIMIT ?",
		after, max(limit, 0))
}

// DeleteGroup relies on ON DELETE CASCADE for memberships and grants.
func (a accounts) DeleteGroup(id catalog.GroupID) error {
	return about(a.must("DELETE FROM groups WHERE id = ?", id), "group %d", id)
}

// AddMember is silent about somebody who is a member already.
func (a accounts) AddMember(id catalog.GroupID, user catalog.UserID) error {
	if _, err := a.Group(id); err != nil {
		return err
	}
	if _, err := a.User(user); err != nil {
		return err
	}
	_, err := a.exec("INSERT INTO members (grp, usr) VALUES (?, ?) ON CONFLICT DO NOTHING", id, user)
	return err
}

func (a accounts) RemoveMember(id catalog.GroupID, user catalog.UserID) error {
	return about(a.must("DELETE FROM members WHERE grp = ? AND usr = ?", id, user), "user %d in group %d", user, id)
}

func (a accounts) Members(id catalog.GroupID) ([]catalog.User, error) {
	return list(a.tx, readUser, "SELECT "+userColumns+
		" FROM users WHERE id IN (SELECT usr FROM members WHERE grp = ?) ORDER BY name", id)
}

func (a accounts) GroupsOf(user catalog.UserID) ([]catalog.Group, error) {
	return list(a.tx, readGroup,
		"SELECT id, name, created FROM groups WHERE id IN (SELECT grp FROM members WHERE usr = ?) ORDER BY name", user)
}

const invitationColumns = "id, hash, role, grp, note, made_by, created, expires, taken"

func readInvitation(r row, i *catalog.Invitation) error {
	return r.to(&i.ID, &i.Hash, &i.Role, &i.Group, &i.Note, &i.By, &i.Created, &i.Expires, &i.Taken)
}

func (a accounts) CreateInvitation(i catalog.Invitation) (int64, error) {
	if i.Group != 0 {
		if _, err := a.Group(i.Group); err != nil {
			return 0, err
		}
	}
	id, err := a.insert(`INSERT INTO invitations (hash, role, grp, note, made_by, created, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		i.Hash, i.Role, i.Group, i.Note, i.By, i.Created, i.Expires)
	return id, about(err, "invitation")
}

func (a accounts) Invitation(hash content.Hash) (catalog.Invitation, error) {
	i, err := one(a.tx, readInvitation, "SELECT "+invitationColumns+" FROM invitations WHERE hash = ?", hash)
	return i, about(err, "invitation")
}

func (a accounts) Invitations() ([]catalog.Invitation, error) {
	return list(a.tx, readInvitation, "SELECT "+invitationColumns+
		" FROM invitations WHERE taken IS NULL ORDER BY id DESC")
}

func (a accounts) TakeInvitation(id int64, by catalog.UserID) error {
	if _, err := a.User(by); err != nil {
		return err
	}
	n, err := a.exec("UPDATE invitations SET taken = ? WHERE id = ? AND taken IS NULL", by, id)
	if err != nil || n > 0 {
		return about(err, "invitation %d", id)
	}
	var there int64
	if err := a.scan(into{&there}, "SELECT id FROM invitations WHERE id = ?", id); err != nil {
		return about(err, "invitation %d", id)
	}
	return fault.Errorf(fault.Gone, "invitation %d: taken before", id)
}

func (a accounts) DeleteInvitation(id int64) error {
	return about(a.must("DELETE FROM invitations WHERE id = ?", id), "invitation %d", id)
}

package origin_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/postgres"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
	"tandem/internal/store/mem"
	"tandem/test/engines"
)

// Random histories of what several people do on one server, compared in every
// answer with spec. A failure prints the history, shrunk, and a seed.

func TestModelOnSQLite(t *testing.T) {
	c, err := sqlite.Open(t.Context(), catalogtest.Blank(t))
	model(t, c, err)
}

func TestModelOnPostgreSQL(t *testing.T) {
	c, err := postgres.Open(t.Context(), engines.Cluster(t).Database(t))
	model(t, c, err)
}

const password = "correct horse battery"

// place is one server that histories use in turn, each with people and
// collections of its own.
type place struct {
	*origin.Server
	time      atomic.Int64 // of its clock, seconds
	histories int
	callers   int
}

func model(t *testing.T, c catalog.Catalog, err error) {
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &place{}
	p.time.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Unix())
	p.Server, err = origin.New(t.Context(), origin.Config{
		Catalog: c, Blobs: mem.NewBlobs(p.now), Now: p.now, Rand: rand.NewChaCha8([32]byte{1}),
		Passwords: origin.Argon2{Time: 1, Memory: 8, Threads: 1},
		KeepTrash: keepTrash, KeepVersions: keepVersions, UploadTTL: uploadTTL, SessionTTL: 1000 * 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.MakeAdmin(t.Context(), "root", password); err != nil {
		t.Fatal(err)
	}
	began, failed := time.Now(), false
	rapid.Check(t, func(t *rapid.T) {
		if !failed && enough(began) {
			return
		}
		before := failed
		failed = true // if it does not come to its end
		p.histories++
		newHistory(t, p).run()
		failed = before
	})
	if found, err := c.Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("check: %q, %v", found, err)
	}
}

// enough says whether histories that nobody asked for by a flag of rapid have
// had their time: with the race detector they take ten times as long.
func enough(began time.Time) bool {
	const most = 5 * time.Second
	plain := flag.Lookup("rapid.seed").Value.String() == "0" && flag.Lookup("rapid.checks").Value.String() == "100"
	return plain && time.Since(began) > most
}

func (p *place) now() time.Time { return time.Unix(p.time.Load(), 0).UTC() }

// stranger is nobody, at an address that nobody else has.
func (p *place) stranger() origin.Caller {
	p.callers++
	return origin.Caller{Remote: netip.AddrFrom4([4]byte{10, byte(p.callers >> 16), byte(p.callers >> 8), byte(p.callers)}), Request: itoa(p.callers)}
}

// history is one random history.
type history struct {
	*rapid.T
	ctx    context.Context
	p      *place
	w      *spec
	name   string // in front of every name
	actors []*actor
}

func newHistory(t *rapid.T, p *place) *history {
	h := &history{T: t, ctx: t.Context(), p: p, w: &spec{now: p.now()}, name: "h" + itoa(p.histories) + "-"}
	root := h.caller(&actor{name: "root", secret: h.login("root")})
	for _, u := range []sUser{
		{name: "adm", role: policy.Admin},
		{name: "ann", role: policy.Publisher, quota: 400},
		{name: "bob", role: policy.Publisher},
		{name: "rae", role: policy.Reader, quota: 100},
	} {
		u.name = h.name + u.name
		if _, err := p.CreateUser(h.ctx, root, u.name, password, u.role, u.quota); err != nil {
			t.Fatal(err)
		}
		h.w.users = append(h.w.users, &u)
		h.actors = append(h.actors, &actor{name: u.name, user: &u, limit: policy.AllRights, server: true, secret: h.login(u.name)})
	}
	g := &sGroup{name: h.name + "team", members: make(map[*sUser]bool)}
	if _, err := p.CreateGroup(h.ctx, root, g.name); err != nil {
		t.Fatal(err)
	}
	h.w.groups = append(h.w.groups, g)
	h.token("token that reads", policy.List|policy.Read, false, time.Time{})
	h.token("token that publishes", policy.List|policy.Publish, true, h.w.now.Add(100*time.Hour))
	h.actors = append(h.actors, &actor{name: "nobody"})
	h.firstCollection()
	return h
}

func (h *history) login(name string) string {
	secret, _, err := h.p.Login(h.ctx, h.p.stranger(), name, password, "model")
	if err != nil {
		h.Fatal(err)
	}
	return secret
}

// token makes a token of ann's.
func (h *history) token(name string, limit policy.Rights, server bool, ends time.Time) {
	ann := h.actors[1]
	secret, _, err := h.p.CreateToken(h.ctx, h.caller(ann), name, limit, server, ends)
	if err != nil {
		h.Fatal(err)
	}
	h.actors = append(h.actors, &actor{name: "ann's " + name, user: ann.user, limit: limit, server: server, ends: ends, secret: secret})
}

// firstCollection is ann's, and bob and the group have rights on it.
func (h *history) firstCollection() {
	ann := h.actors[1]
	h.createCollectionAs(ann, h.name+"photos")
	for _, g := range []origin.GrantView{
		{Subject: h.name + "bob", Rights: policy.List | policy.Read | policy.Publish},
		{Subject: h.name + "team", Group: true, Rights: policy.List | policy.Read},
	} {
		h.failed("grant", h.p.SetGrant(h.ctx, h.caller(ann), h.name+"photos", g), h.w.setGrant(ann, h.name+"photos", g))
	}
}

// caller signs a in; it must be possible.
func (h *history) caller(a *actor) origin.Caller {
	c, err := h.enter(a)
	if err != nil {
		h.Fatalf("%s: %v", a.name, err)
	}
	return c
}

func (h *history) enter(a *actor) (origin.Caller, error) {
	switch c := h.p.stranger(); {
	case a.link != nil && a.proof:
		return h.p.ByLink(h.ctx, c, a.link.token, a.link.proof)
	case a.link != nil:
		return h.p.ByLink(h.ctx, c, a.link.token, "")
	case a.secret != "":
		return h.p.Authenticate(h.ctx, c, a.secret)
	default:
		return c, nil
	}
}

func (h *history) run() {
	for range 20 + h.pick("steps", 60) {
		if h.rarely("time passes", 8) {
			h.pass(time.Duration(1+h.pick("hours", 20)) * time.Hour)
		}
		h.step()
	}
	h.compareAll()
}

func (h *history) pass(d time.Duration) {
	h.w.now = h.w.now.Add(d)
	h.p.time.Store(h.w.now.Unix())
}

// step lets somebody do something.
func (h *history) step() {
	a := h.actor()
	c, err := h.enter(a)
	if h.failed(a.name+" comes in", err, h.w.enters(a)) != nil {
		return
	}
	ops := h.operations()
	if a.link != nil {
		ops = h.linkOperations()
	}
	op := ops[h.pick("operation", len(ops))]
	op(a, c)
}

// actor is mostly one of those with much to do.
func (h *history) actor() *actor {
	often := []int{0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6}
	open := slices.DeleteFunc(slices.Clone(h.w.links), func(l *sLink) bool {
		return h.w.enters(&actor{link: l}) != nil && !h.rarely("an ended link", 10)
	})
	if len(open) > 0 && h.rarely("a link", 2) {
		l := open[h.pick("link", len(open))]
		proof := h.pick("proof", 4) > 0
		return &actor{name: "link " + itoa(int(l.id)) + yes(proof, " with proof"), link: l, proof: proof}
	}
	return h.actors[often[h.pick("actor", len(often))]]
}

// same compares an answer of the server with that of spec.
func (h *history) same(what, got string, err error, want string, wantErr error) error {
	h.Helper()
	h.Logf("%s: %q %v", what, want, wantErr)
	if (err == nil) != (wantErr == nil) || err != nil && fault.KindOf(err) != fault.KindOf(wantErr) {
		h.Fatalf("%s: error %v (%v), want %v", what, err, fault.KindOf(err), wantErr)
	}
	if err == nil && got != want {
		h.Fatalf("%s: got\n%s\nwant\n%s", what, got, want)
	}
	return err
}

func (h *history) failed(what string, err, want error) error {
	h.Helper()
	return h.same(what, "", err, "", want)
}

// compareAll looks at everything with an admin's eyes.
func (h *history) compareAll() {
	adm := h.actors[0]
	c := h.caller(adm)
	for _, u := range h.w.users {
		got, err := h.p.User(h.ctx, c, u.name)
		want, wantErr := h.w.account(adm, u.name)
		h.same("in the end, user "+u.name, accountText(got), err, want, wantErr)
	}
	for _, col := range h.w.cols {
		if col.gone {
			continue
		}
		h.walk(adm, c, origin.Place{Collection: col.name})
		h.showCollection(adm, c, col.name)
		h.trashList(adm, c, col.name)
	}
}

// pick draws a number below n, each as likely as the others.
func (h *history) pick(label string, n int) int {
	const bits = 10
	return rapid.Map(rapid.SliceOfN(rapid.Bool(), bits, bits), func(set []bool) int {
		v := 0
		for _, bit := range set {
			v <<= 1
			if bit {
				v |= 1
			}
		}
		return v % n
	}).Draw(h.T, label)
}

// rarely is true once in n times.
func (h *history) rarely(label string, n int) bool { return h.pick(label, n) == n-1 }

func oneOf[T any](h *history, label string, of ...T) T { return of[h.pick(label, len(of))] }

package transfer

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/swarm"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// defaultConns bounds the connections of one transfer.
const defaultConns = 256

// maxWaiting bounds the incoming connections the owner has not looked at.
const maxWaiting = 64

// Transfer is one swarm being run. Its methods are safe for concurrent use.
type Transfer struct {
	cfg  Config
	log  *slog.Logger
	mail *mailbox

	ready, completed chan struct{} // closed by the owner
	running          atomic.Bool
	final            atomic.Pointer[Status] // set once the owner has ended
	incoming         atomic.Int32           // connections waiting in the mailbox

	// set by Run or the owner before the goroutines that read them are started
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup // every goroutine Run started, itself excluded
	budget   *budget
	disk     *writeQueue
	jobs     *jobs
	torrent  *metainfo.Torrent
	manifest *content.Manifest
	layers   *content.Layers // nil without v2
	store    store.Pieces

	uplink  atomic.Int64 // what it was seen to carry, bytes per second; 0: not known
	hashing atomic.Bool  // the manifest is known: what arrives is hashed
	runs    atomic.Int64 // of the hashers
	pieces  atomic.Int64 // number of pieces, -1 before metadata
	figures figures      // for the finders

	owner
}

// owner is the state that only the owning goroutine touches.
type owner struct {
	now     time.Time
	err     error // fatal
	started time.Time

	keys   []content.SHA1
	conns  []*conn // in the order they came
	byID   map[swarm.ConnID]*conn
	byKey  map[peer.Key]*conn
	nextID swarm.ConnID
	dirty  []*conn

	book    *book
	bans    bans
	dialing int
	wokenAt time.Time
	wakeGap time.Duration
	pexGen  int // changes with the set of peers we can name

	havesTurn int // counts ticks

	meta       metaFetch
	earlyBytes int // what connections said before metadata, in all
	preparing  bool
	sw         *swarm.Swarm
	acts       []swarm.Action
	have       *content.Bitfield
	wanted     *content.Bitfield    // nil: all
	checking   *content.Bitfield    // suspect pieces not yet hashed; nil: none
	awaitCheck []int                // of those, what waits for piece layers
	computed   map[int]content.Hash // v2 hashes of those
	computedOf map[int]int          // and how many, by file
	awaiting   []int                // fetched pieces that wait for piece layers
	leaves     map[int][]content.Hash
	spare      [][]content.Hash
	arrivals   map[int]*arrival     // v1
	roots      map[int]content.Hash // computed v2 hashes of hybrid pieces, while layers are unknown
	layersDone bool
	missing    []content.HashRange
	judging    map[int]*judgement
	answers    int // hash requests in work

	storeFaults int // times that the store took pieces back

	waiting   int // who wait for room on the device
	paused    bool
	fullErr   error
	finishing bool
	complete  time.Time

	sources, sinks map[string]int64 // of connections that are gone
	fromPeers      int64            // fromLAN included
	fromLAN        int64
	fromOrigin     int64
	limits         limitTally
	secondAt       time.Time
	partedAt       time.Time

	hybrid
	credentials
	paces [2]pace // for short and for long transfers
}

// New returns a Transfer that does nothing until Run is called. The error is of
// kind fault.Invalid: cfg contradicts itself.
func New(cfg Config) (*Transfer, error) {
	switch {
	case len(cfg.Keys) == 0 || len(cfg.Keys) > 2:
		return nil, fault.Errorf(fault.Invalid, "transfer: %d swarm keys", len(cfg.Keys))
	case cfg.Audience != peer.Public && cfg.Audience != peer.Link && cfg.Audience != peer.Network:
		return nil, fault.Errorf(fault.Invalid, "transfer: audience %s", cfg.Audience)
	case cfg.Audience != peer.Public && len(cfg.Keys) != 1:
		return nil, fault.Errorf(fault.Invalid, "transfer: a %s share has one key", cfg.Audience)
	case cfg.Audience != peer.Public && cfg.Torrent == nil && cfg.Want.IsZero():
		return nil, fault.Errorf(fault.Invalid, "transfer: a %s share needs its info-hash", cfg.Audience)
	case cfg.Audience == peer.Network && cfg.Guard == nil:
		return nil, fault.Errorf(fault.Invalid, "transfer: a network share needs a guard: its secret is none")
	case cfg.Via != "" && cfg.Via != ViaBoth && cfg.Via != ViaServer && cfg.Via != ViaPeers:
		return nil, fault.Errorf(fault.Invalid, "transfer: via %q", cfg.Via)
	case cfg.Network == nil || cfg.Open == nil:
		return nil, fault.Errorf(fault.Invalid, "transfer: no network or store")
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = defaultConns
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Transfer{
		cfg: cfg, log: log, mail: newMailbox(),
		ready: make(chan struct{}), completed: make(chan struct{}),
		budget: newBudget(), disk: newWriteQueue(), jobs: newJobs(),
		owner: owner{
			paces:  [2]pace{{window: paceWindow}, {window: paceLong}},
			keys:   slices.Clone(cfg.Keys),
			byID:   map[swarm.ConnID]*conn{},
			byKey:  map[peer.Key]*conn{},
			book:   newBook(cfg.Near),
			leaves: map[int][]content.Hash{}, arrivals: map[int]*arrival{},
			judging: map[int]*judgement{}, computedOf: map[int]int{},
			sources: map[string]int64{}, sinks: map[string]int64{},
			hybrid: hybrid{joined: map[string]*joining{}},
		},
	}
	t.pieces.Store(-1)
	t.figures.left.Store(1)
	return t, nil
}

// Run runs t until ctx ends or something fatal happens, seeding after
// completion, and is called once. It returns nil when ctx ended, and otherwise
// what Status then gives as Err: of kind fault.Changed (a file shared in
// place), fault.Exists (the destination), fault.Conflict (v1 against v2),
// fault.Invalid (metadata), fault.Permission or what the store said. When it
// returns, the store is closed and every goroutine it started has ended.
func (t *Transfer) Run(ctx context.Context) error {
	t.ctx, t.cancel = context.WithCancel(ctx)
	defer t.cancel()
	t.started = time.Now()
	t.now = t.started
	if t.running.Swap(true) {
		return fault.Errorf(fault.Invalid, "transfer: run twice")
	}
	t.begin()
	t.loop()
	return t.wind()
}

// begin starts what goes on before metadata is known.
func (t *Transfer) begin() {
	for _, to := range t.cfg.Peers {
		if e := t.book.add(to.Addr, "link", to.Global); e != nil {
			e.want = to
		}
	}
	if t.cfg.Torrent != nil {
		t.prepareLater(t.cfg.Torrent, nil, false)
	}
	t.far = t.via() == ViaPeers || len(t.cfg.Origins) == 0
	t.setOrigins(t.cfg.Origins)
	t.syncFinders()
}

// loop is the owner: it takes what the others report, feeds the swarm and hands
// out work. It never waits for anybody but in this select.
func (t *Transfer) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var buf []event
	for t.err == nil {
		ticked := false
		select {
		case <-t.ctx.Done():
			return
		case <-t.mail.wake:
		case <-timer.C:
			ticked = true
		}
		t.now = time.Now()
		buf = t.mail.take(buf)
		for i := range buf {
			t.handle(&buf[i])
			if i%64 == 63 { // do not let the pipes run dry behind a long batch
				t.act()
				t.flush()
			}
		}
		if ticked {
			t.tick()
			timer.Reset(t.tickEvery())
		}
		t.act()
		t.flush()
	}
}

// tickEvery returns the pace: the swarm's while anything is connected.
func (t *Transfer) tickEvery() time.Duration {
	if len(t.conns) > 0 || t.dialing > 0 || t.preparing || (len(t.origins) > 0 && !t.isComplete()) {
		return swarm.TickEvery
	}
	if len(t.book.order) == 0 {
		return time.Second
	}
	return 2 * swarm.TickEvery
}

// wind ends everything Run started, and says why it ended.
func (t *Transfer) wind() error {
	final := t.snapshot()
	final.State = Stopped
	if t.err != nil {
		final.State, final.Err = Failed, t.err
	}
	t.final.Store(&final)
	t.cancel()
	for _, e := range t.mail.close() {
		t.discard(&e, final)
	}
	t.budget.setOpen(true)
	t.disk.stop()
	t.jobs.stop()
	for _, c := range t.conns {
		t.hangUp(c)
	}
	for _, o := range t.origins {
		t.abandon(o)
	}
	t.wg.Wait()
	if t.store != nil {
		if err := t.store.Close(); err != nil && t.err == nil {
			t.err = err
		}
	}
	return t.err
}

// discard releases what an event holds that nobody will handle.
func (t *Transfer) discard(e *event, final Status) {
	switch e.kind {
	case evMessage, evStreamed:
		t.budget.put(e.block)
	case evDialed:
		if d := e.body.(dialed); d.nc != nil {
			_ = d.nc.Close()
		}
	case evIncoming:
		_ = e.body.(incoming).nc.Close()
	case evPrepared:
		if p := e.body.(prepared); p.store != nil {
			_ = p.store.Close()
		}
	case evStatus:
		e.body.(chan Status) <- final
	}
}

// incoming is a connection somebody else made to us.
type incoming struct {
	nc transport.Conn
	hs wire.Handshake
}

// AddConn hands over an incoming connection whose BitTorrent handshake hs was
// read and not yet answered. It is closed if it was admitted for another
// audience or share, after Run has returned, or when there are enough.
func (t *Transfer) AddConn(c transport.Conn, hs wire.Handshake) {
	if t.incoming.Add(1) > maxWaiting || !t.mail.put(event{kind: evIncoming, body: incoming{c, hs}}) {
		t.incoming.Add(-1)
		_ = c.Close()
	}
}

// named are addresses given from outside.
type named struct {
	source string
	addrs  []netip.AddrPort
}

// AddPeers names addresses to try; src is the source, as in discover.Found.
// They count as named by the user: local addresses are allowed.
func (t *Transfer) AddPeers(src string, addrs ...netip.AddrPort) {
	t.mail.put(event{kind: evPeers, body: named{src, slices.Clone(addrs)}})
}

// Ready is closed once the metadata is known and the store is open.
func (t *Transfer) Ready() <-chan struct{} { return t.ready }

// Completed is closed once every wanted file is verified and under its final
// name.
func (t *Transfer) Completed() <-chan struct{} { return t.completed }

// fail ends the transfer because of err.
func (t *Transfer) fail(err error) {
	if t.err == nil {
		t.err = err
		t.log.Error("transfer failed", "err", err)
	}
}

// random returns the swarm's source of randomness.
func (t *Transfer) random() *rand.Rand {
	return rand.New(rand.NewPCG(t.cfg.Seed, 0x7461_6e64_656d))
}

// found adds an address a finder yielded for one of our keys.
func (t *Transfer) found(f discover.Found, key int) {
	known := len(t.book.order)
	if e := t.book.add(f.Addr, f.Source, f.Global); e != nil && len(t.book.order) > known {
		e.key = key
	}
}

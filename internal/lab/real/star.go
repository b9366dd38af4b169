//go:build linux

package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/vishvananda/netns"
)

const prefix = "tdm-"

// namespaces is where ip keeps their names.
const namespaces = "/run/netns"

// Link is a host's access link in bits per second; zero is unshaped. Offload
// leaves the segmentation offloads on, where nothing on the path is shaped. Apart
// makes the host's network one address wide, as over the Internet: it reaches all
// others, and sees none of them on its own network.
type Link struct {
	Up, Down int64
	Offload  bool
	Apart    bool
}

// Star is a set of hosts around one switch. Its methods are safe for
// concurrent use except Close, which comes last.
type Star struct {
	name string

	mu    sync.Mutex
	hosts []*Host
	lans  int
}

// Host is one namespace with one address.
type Host struct {
	Name string
	Addr netip.Addr
	ns   string
	hub  string // namespace of the bridge it is joined to
	port string // of that bridge
}

// place returns the addresses of the i-th host, from 1.
func place(i int) (netip.Addr, string) {
	hi, lo := byte(i/250), byte(i%250+1)
	return netip.AddrFrom4([4]byte{10, 77, hi, lo}), fmt.Sprintf("02:54:44:00:%02x:%02x", hi, lo)
}

// congestion is the end of a route's line: the algorithm of whoever sends there,
// whatever this machine has as its default. A namespace may not choose it, a route may.
const congestion = " congctl cubic"

// neighbours are permanent entries for the first hosts of a star. The kernel's
// neighbour table is one for all namespaces and holds 1,024 learned entries: 50
// hosts that talk to each other would not fit.
func neighbours() []string {
	var lines []string
	for i := 1; i <= 100; i++ {
		addr, mac := place(i)
		lines = append(lines, "neigh replace "+addr.String()+" lladdr "+mac+" nud permanent dev eth0")
	}
	return lines
}

var starCount struct {
	sync.Mutex
	n int
}

// NewStar makes an empty star after clearing away what crashed runs left
// behind. It fails without root.
func NewStar(ctx context.Context) (*Star, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces need root")
	}
	for _, tool := range []string{"ip", "tc", "ethtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%s is missing: apt-get install iproute2 ethtool", tool)
		}
	}
	sweep(ctx)
	starCount.Lock()
	starCount.n++
	n := starCount.n
	starCount.Unlock()
	s := &Star{name: prefix + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(n)}
	hub := s.name + "-hub"
	err := ipBatch(ctx, "",
		"netns add "+hub)
	if err == nil {
		err = ipBatch(ctx, hub,
			"link set lo up",
			"link add br0 type bridge forward_delay 0 mcast_snooping 0",
			"link set br0 up")
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("make the switch: %w", err)
	}
	return s, nil
}

// Add makes a host behind a link.
func (s *Star) Add(ctx context.Context, link Link) (*Host, error) {
	s.mu.Lock()
	i := len(s.hosts) + 1
	addr, mac := place(i)
	h := &Host{Name: "h" + strconv.Itoa(i), Addr: addr, ns: s.name + "-h" + strconv.Itoa(i), hub: s.name + "-hub", port: "p" + strconv.Itoa(i)}
	s.hosts = append(s.hosts, h)
	s.mu.Unlock()

	mask := "/16"
	if link.Apart {
		mask = "/32"
	}
	lines := []string{"addr add " + addr.String() + mask + " dev eth0", "link set eth0 address " + mac, "link set eth0 up", "route add default dev eth0" + congestion}
	if !link.Apart {
		lines = append(lines, "route replace 10.77.0.0/16 dev eth0 src "+addr.String()+congestion)
	}
	lines = append(lines, neighbours()...)
	if err := h.join(ctx, link, lines...); err != nil {
		return nil, err
	}
	return h, nil
}

// join makes the host's namespace and joins it to its bridge; lines configure eth0.
func (h *Host) join(ctx context.Context, link Link, lines ...string) error {
	steps := []func() error{
		func() error { return ipBatch(ctx, "", "netns add "+h.ns) },
		func() error {
			return ipBatch(ctx, h.hub,
				"link add "+h.port+" type veth peer name eth0 netns "+h.ns,
				"link set "+h.port+" master br0 up")
		},
		func() error { return ipBatch(ctx, h.ns, append([]string{"link set lo up"}, lines...)...) },
		func() error { return shape(ctx, h.ns, "eth0", link.Up, link.Offload) },
		func() error { return shape(ctx, h.hub, h.port, link.Down, link.Offload) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("add host %s: %w", h.Name, err)
		}
	}
	return nil
}

// AddN makes n hosts behind equal links.
func (s *Star) AddN(ctx context.Context, n int, link Link) ([]*Host, error) {
	hosts := make([]*Host, n)
	for i := range hosts {
		h, err := s.Add(ctx, link)
		if err != nil {
			return nil, err
		}
		hosts[i] = h
	}
	return hosts, nil
}

// Cut takes the host off the switch; Join puts it back.
func (s *Star) Cut(ctx context.Context, h *Host) error { return s.port(ctx, h, "down") }

// Join undoes Cut.
func (s *Star) Join(ctx context.Context, h *Host) error { return s.port(ctx, h, "up") }

func (s *Star) port(ctx context.Context, h *Host, state string) error {
	return ipBatch(ctx, h.hub, "link set "+h.port+" "+state)
}

// Close ends what still runs in the hosts and removes the namespaces.
func (s *Star) Close() error {
	ctx := context.Background()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, h := range s.hosts {
		errs = append(errs, remove(ctx, h.ns))
	}
	errs = append(errs, remove(ctx, s.name+"-hub"))
	return errors.Join(errs...)
}

// remove ends what runs in a namespace and removes it. One that was never made is fine.
func remove(ctx context.Context, ns string) error {
	if _, err := os.Stat(filepath.Join(namespaces, ns)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	killIn(ctx, ns)
	return ipBatch(ctx, "", "netns del "+ns)
}

// Command prepares a program to run on the host. It ends with this process.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.ns, name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Listen opens a TCP listener of this process on the host.
func (h *Host) Listen(port int) (l net.Listener, err error) {
	err = h.do(func() error {
		l, err = net.Listen("tcp4", net.JoinHostPort(h.Addr.String(), strconv.Itoa(port)))
		return err
	})
	return l, err
}

// ListenPacket opens a UDP socket of this process on the host.
func (h *Host) ListenPacket(port int) (c net.PacketConn, err error) {
	err = h.do(func() error {
		c, err = net.ListenPacket("udp4", net.JoinHostPort(h.Addr.String(), strconv.Itoa(port)))
		return err
	})
	return c, err
}

// Dial opens a TCP connection of this process from the host.
func (h *Host) Dial(addr string) (c net.Conn, err error) {
	err = h.do(func() error {
		c, err = net.Dial("tcp4", addr)
		return err
	})
	return c, err
}

// Sent returns the bytes the host's interface has sent, headers included.
func (h *Host) Sent() (int64, error) {
	t, err := h.Traffic()
	return t.Sent.Bytes, err
}

// do runs f on a thread inside the host's namespace. The thread goes back
// afterwards: if it ended, the programs started from it would be killed.
func (h *Host) do(f func() error) error {
	ns, err := netns.GetFromName(h.ns)
	if err != nil {
		return fmt.Errorf("enter %s: %w", h.Name, err)
	}
	defer ns.Close()
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", h.Name, err)
	}
	defer home.Close()
	if err := netns.Set(ns); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", h.Name, err)
	}
	err = f()
	if back := netns.Set(home); back != nil {
		return fmt.Errorf("leave %s: %w", h.Name, back) // still locked: nobody else may run here
	}
	runtime.UnlockOSThread()
	return err
}

// shape limits what leaves dev to rate bits per second and turns offloads off.
func shape(ctx context.Context, ns, dev string, rate int64, offload bool) error {
	if offload && rate == 0 {
		return nil
	}
	if err := run(ctx, "ip", "netns", "exec", ns, "ethtool", "-K", dev, "tso", "off", "gso", "off", "gro", "off"); err != nil {
		return err
	}
	if rate == 0 {
		return nil
	}
	// A burst of 2 ms, at least ten full frames; a queue of 50 ms.
	burst := max(rate/8/500, 15140)
	limit := max(rate/8/20, 4*burst)
	return run(ctx, "ip", "netns", "exec", ns, "tc", "qdisc", "replace", "dev", dev, "root", "tbf",
		"rate", strconv.FormatInt(rate, 10)+"bit",
		"burst", strconv.FormatInt(burst, 10),
		"limit", strconv.FormatInt(limit, 10))
}

func ipBatch(ctx context.Context, ns string, lines ...string) error {
	args := []string{"-batch", "-"}
	if ns != "" {
		args = append([]string{"-n", ns}, args...)
	}
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	return report(cmd)
}

func run(ctx context.Context, name string, args ...string) error {
	return report(exec.CommandContext(ctx, name, args...))
}

func report(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// killIn ends the processes left in one of our namespaces.
func killIn(ctx context.Context, ns string) {
	out, _ := exec.CommandContext(ctx, "ip", "netns", "pids", ns).Output()
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 1 && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// sweep removes the namespaces of runs whose process is gone.
func sweep(ctx context.Context) {
	names, _ := filepath.Glob(filepath.Join(namespaces, prefix+"*"))
	for _, path := range names {
		ns := filepath.Base(path)
		owner, _, _ := strings.Cut(strings.TrimPrefix(ns, prefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil || pid <= 1 || alive(pid) {
			continue
		}
		_ = remove(ctx, ns)
	}
}

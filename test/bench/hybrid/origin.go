package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tandem/internal/lab/real"
	"tandem/test/engines"
	"tandem/test/peers"
	"tandem/test/servers"
)

const collection = "bench"

// origin is a tandem server on a host, with one file and a link to it.
type origin struct {
	*servers.Server
	link servers.Link
}

func startOrigin(ctx context.Context, host *real.Host, dir, file string, args ...string) (*origin, error) {
	return startAt(ctx, host, host.Addr.String()+":7780", dir, file, args...)
}

// startAt is startOrigin at an address of the host's.
func startAt(ctx context.Context, host *real.Host, addr, dir, file string, args ...string) (*origin, error) {
	s, err := servers.New(ctx, servers.Options{
		Dir: dir, Listen: addr, Args: append(args, strings.Fields(*serve)...),
		Command: func(name string, args ...string) *exec.Cmd {
			return host.Command(context.WithoutCancel(ctx), name, args...)
		},
	})
	if err != nil {
		return nil, err
	}
	err = s.Publish(ctx, collection, file)
	var l servers.Link
	if err == nil {
		l, err = s.MakeLink(ctx, append(strings.Fields(*link), collection+"/"+filepath.Base(file))...)
	}
	if err != nil {
		s.Kill()
		return nil, err
	}
	return &origin{s, l}, nil
}

// webSeed runs nginx on host and a tracker on another, and describes the file
// for BitTorrent clients with both.
func webSeed(ctx context.Context, star *real.Star, host *real.Host, dir, file string) (stop func(), torrent string, err error) {
	apart, err := star.Add(ctx, real.Link{Apart: true})
	if err != nil {
		return nil, "", err
	}
	tracker, err := peers.StartTracker(apart)
	if err != nil {
		return nil, "", err
	}
	addr := host.Addr.String() + ":8080"
	nginx, err := engines.NginxAt(filepath.Dir(file), 2, engines.Place{
		Addr: addr,
		Command: func(name string, args ...string) *exec.Cmd {
			return host.Command(context.WithoutCancel(ctx), name, args...)
		},
		Dial: func(a string) (net.Conn, error) { return host.Dial(a) },
	})
	if err != nil {
		_ = tracker.Close()
		return nil, "", err
	}
	stop = func() {
		nginx()
		_ = tracker.Close()
	}
	torrent = filepath.Join(dir, "content.torrent")
	// Debian's aria2 cannot read hybrids (decision record 0004).
	if _, err := peers.MakeSeeded(ctx, file, torrent, peers.V1, []string{"http://" + addr + "/" + filepath.Base(file)}, tracker.URL); err != nil {
		stop()
		return nil, "", err
	}
	return stop, torrent, nil
}

// ends returns what the receivers printed of their sources when complete.
func ends(procs []*peers.Proc) []string {
	var said []string
	for _, p := range procs {
		f, err := os.Open(p.LogPath())
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			var e map[string]any
			if json.Unmarshal(s.Bytes(), &e) != nil || e["event"] != "complete" {
				continue
			}
			delete(e, "sources")
			if b, err := json.Marshal(e); err == nil {
				said = append(said, string(b))
			}
		}
		f.Close()
	}
	return said
}

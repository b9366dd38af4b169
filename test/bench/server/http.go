package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tandem/test/bench/page"
	"tandem/test/engines"
	"tandem/test/peers"
	"tandem/test/servers"
)

// pair is tandem and nginx serving the same file.
type pair struct {
	tandem      *servers.Server
	nginxAddr   string
	stop        func()
	link, login string // path of a share link's download; Authorization header
}

const collection = "bench"

func startPair(ctx context.Context, b *bench, name string, size int64) (*pair, error) {
	file := filepath.Join(b.dir, "www", name)
	if err := peers.WriteRandom(file, size, 7); err != nil {
		return nil, err
	}
	p := &pair{}
	addr, stop, err := engines.Nginx(filepath.Dir(file), 2)
	if err != nil {
		return nil, err
	}
	p.nginxAddr = addr
	s, err := servers.New(ctx, servers.Options{Dir: filepath.Join(b.dir, "tandem")})
	if err != nil {
		stop()
		return nil, err
	}
	p.tandem = s
	p.stop = func() { stop(); _ = s.Stop() }
	for _, args := range [][]string{{"collection", "create", collection}, {"put", file, collection}} {
		if _, err := s.Opts.Run(ctx, args...); err != nil {
			p.stop()
			return nil, err
		}
	}
	if p.link, err = share(ctx, s, collection+"/"+name); err == nil {
		p.login, err = bearer(ctx, s.URL)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// share makes a link and returns the path of its download.
func share(ctx context.Context, s *servers.Server, what string) (string, error) {
	text, err := s.Opts.Run(ctx, "link", what, "--json")
	if err != nil {
		return "", err
	}
	var link struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal([]byte(text), &link); err != nil {
		return "", fmt.Errorf("link: %w in %q", err, text)
	}
	_, rest, ok := strings.Cut(link.URL, "/s/")
	if !ok {
		return "", fmt.Errorf("link: no /s/ in %q", link.URL)
	}
	return "/s/" + rest + "/download", nil
}

// bearer signs in over the REST interface.
func bearer(ctx context.Context, url string) (string, error) {
	body, err := json.Marshal(map[string]string{"user": "admin", "password": servers.Password})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/sessions", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	var session struct {
		Secret string `json:"secret"`
	}
	if err := json.NewDecoder(r.Body).Decode(&session); err != nil || session.Secret == "" {
		return "", fmt.Errorf("sign in: status %d, %v", r.StatusCode, err)
	}
	return "Authorization: Bearer " + session.Secret + "\r\n", nil
}

func hostOf(url string) string { return strings.TrimPrefix(url, "http://") }

// oneClient uses curl, so that a client everybody has gives the figure.
func oneClient(ctx context.Context, b *bench) (*page.Figures, error) {
	p, err := startPair(ctx, b, "file", 1<<30)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	sources := []struct{ name, url, header string }{
		{"nginx", "http://" + p.nginxAddr + "/file", ""},
		{"tandem, share link", p.tandem.URL + p.link, ""},
		{"tandem, signed in", p.tandem.URL + "/api/v1/collections/" + collection + "/content/file", strings.TrimSpace(p.login)},
	}
	times := make([][]float64, len(sources))
	for range *runs {
		for i, s := range sources {
			t, err := curl(ctx, s.url, s.header)
			if err != nil {
				return nil, err
			}
			times[i] = append(times[i], t.Seconds())
		}
	}
	f := &page.Figures{Head: []string{"server", "MB/s (median)", "x nginx"}, Note: fmt.Sprintf("curl to /dev/null, %d runs in turn.", *runs)}
	base := median(times[0])
	for i, s := range sources {
		m := median(times[i])
		f.Add(s.name, fmt.Sprintf("%.0f", 1073.741824/m), fmt.Sprintf("%.2f", base/m))
	}
	return f, nil
}

func curl(ctx context.Context, url, header string) (time.Duration, error) {
	args := []string{"-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download}"}
	if header != "" {
		args = append(args, "-H", header)
	}
	start := time.Now()
	got, err := exec.CommandContext(ctx, "curl", append(args, url)...).CombinedOutput()
	took := time.Since(start)
	if err != nil || string(got) != "1073741824" {
		return 0, fmt.Errorf("curl %s: %w: %s", url, err, got)
	}
	return took, nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}

func sixtyFour(ctx context.Context, b *bench) (*page.Figures, error) {
	return crowd(ctx, b, 10<<20, load{clients: 64, requests: 4})
}

func fiveHundred(ctx context.Context, b *bench) (*page.Figures, error) {
	return crowd(ctx, b, 100<<10, load{clients: 500, requests: 20})
}

// rival is one server of a crowd's, and what it was measured to do.
type rival struct {
	name string
	load load
	pid  int

	rates, p50s, p99s, cpus []float64
}

// rivals starts the floors beside p; stop ends them.
func rivals(b *bench, p *pair) (all []*rival, stop func(), err error) {
	all = []*rival{
		{name: "nginx", load: load{addr: p.nginxAddr, path: "/file"}, pid: childOf(os.Getpid(), "nginx")},
		{name: "tandem, share link", load: load{addr: hostOf(p.tandem.URL), path: p.link}, pid: p.tandem.PID()},
		{name: "tandem, signed in", load: load{addr: hostOf(p.tandem.URL), path: "/api/v1/collections/" + collection + "/content/file", header: p.login}, pid: p.tandem.PID()},
	}
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, name := range []string{floorHTTP, floorLoop} {
		addr, pid, end, err := startFloor(name, filepath.Join(b.dir, "www", "file"))
		if err != nil {
			stop()
			return nil, nil, err
		}
		stops = append(stops, end)
		all = append(all, &rival{name: name, load: load{addr: addr, path: "/file"}, pid: pid})
	}
	return all, stop, nil
}

// crowd runs the same load against nginx, tandem and the floors in turn.
func crowd(ctx context.Context, b *bench, size int64, l load) (*page.Figures, error) {
	p, err := startPair(ctx, b, "file", size)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	all, stop, err := rivals(b, p)
	if err != nil {
		return nil, err
	}
	defer stop()
	for range *runs {
		for _, k := range all {
			k.load.clients, k.load.requests = l.clients, l.requests
			if err := k.measure(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	f := &page.Figures{Head: []string{"server", "MB/s", "requests/s", "x nginx", "p50 (ms)", "p99 (ms)", "p99 x nginx", "server's CPU (us/request)"}, Note: fmt.Sprintf("Each client %d requests on one connection, %d runs in turn, medians; the clients share the two cores and drop what arrives in the kernel. "+
		"The last two rows are floors: net/http with http.ServeContent of one file and nothing else, and a Go loop of read, header and sendfile.", l.requests, *runs)}
	for _, k := range all {
		r := median(k.rates)
		f.Add(k.name, fmt.Sprintf("%.0f", r), fmt.Sprintf("%.0f", r*1e6/float64(size)), fmt.Sprintf("%.2f", r/median(all[0].rates)),
			fmt.Sprintf("%.1f", median(k.p50s)), fmt.Sprintf("%.1f", median(k.p99s)), fmt.Sprintf("%.2f", median(k.p99s)/median(all[0].p99s)),
			fmt.Sprintf("%.0f", median(k.cpus)))
	}
	return f, nil
}

func (k *rival) measure(ctx context.Context) error {
	before := cpuOf(k.pid)
	o, err := k.load.run(ctx)
	if err != nil {
		return err
	}
	k.rates = append(k.rates, o.rate())
	k.p50s = append(k.p50s, o.quantile(0.5).Seconds()*1e3)
	k.p99s = append(k.p99s, o.quantile(0.99).Seconds()*1e3)
	k.cpus = append(k.cpus, float64((cpuOf(k.pid)-before).Microseconds())/float64(len(o.latencies)))
	return nil
}

package real

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// In user space what is calibrated is how well the program keeps its own limit on this
// machine: a server's by downloading from it, a seeder's by a transfer of other content
// between two more processes. The limits of receivers are the same code.

// calibrateLimits measures the origin's limit.
func (x *stage) calibrateLimits(ctx context.Context) error {
	want := float64(x.run.Scenario.Origin.Up) * x.ground.(loopback).payload
	if want <= 0 {
		return nil
	}
	measure := x.fromServer
	if x.run.Model == lab.PeerToPeer {
		measure = x.fromSeeder
	}
	got, err := measure(ctx, want)
	if err != nil {
		return fmt.Errorf("calibrate the origin's limit: %w", err)
	}
	if got > 0 {
		x.calibrated("the origin's limit", got/want)
	}
	return nil
}

// fromServer downloads from the server as a browser does, over and over.
func (x *stage) fromServer(ctx context.Context, _ float64) (float64, error) {
	client, err := x.browser()
	if err != nil {
		return 0, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := pace{least: leastReads}
	for !m.enough() {
		if err := x.download(ctx, client, &m); err != nil {
			return 0, err
		}
	}
	return m.rate(), nil
}

func (x *stage) browser() (*http.Client, error) {
	cert, err := os.ReadFile(filepath.Join(x.dir, "server", "cert.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		Timeout:   calibrateMost + ready,
	}, nil
}

func (x *stage) download(ctx context.Context, client *http.Client, m *pace) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.origin.url+"/download", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fault.Errorf(fault.Protocol, "download from the server: %s", res.Status)
	}
	buf := make([]byte, 64<<10)
	for !m.enough() {
		n, err := res.Body.Read(buf)
		m.take(time.Now(), int64(n))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// limitFlow is how much a calibration between two processes takes.
func limitFlow(rate float64) int64 {
	return min(max(int64(1.8*rate), 256<<10), 64<<20)
}

// A block on a connection between two nodes is this much longer than its content: the
// message's head, and what TLS adds.
const (
	blockContent = 16384
	blockSent    = blockContent + 13 + 2*22
)

// fromSeeder has one process share other content within the seeder's limit and another
// fetch it, and looks at what the first hands to the system.
func (x *stage) fromSeeder(ctx context.Context, rate float64) (float64, error) {
	file := filepath.Join(x.dir, "calibration.bin")
	size := limitFlow(rate)
	if _, err := writeRandom(ctx, file, size, ^x.run.Seed); err != nil {
		return 0, err
	}
	defer os.Remove(file)
	s, link := x.origin.seat, ""
	args := slices.Concat([]string{"share", file, "--json", "--listen", s.listen}, alone(), s.node)
	seeder, err := x.await(ctx, "calibration-seeder", s, args, func(e event) bool { link = e.Link; return e.Event == "ready" })
	if err != nil {
		return 0, err
	}
	defer seeder.kill()
	if written(seeder.cmd.Process.Pid) == 0 {
		return 0, nil // not known here
	}
	dir := filepath.Join(x.dir, "calibration-got")
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	getter, err := x.program("calibration-receiver", s, slices.Concat([]string{"get", link, "--json", "--dir", dir, "--listen", s.listen}, alone()), nil).start()
	if err != nil {
		return 0, err
	}
	defer getter.kill()
	return watchSeeder(ctx, seeder, getter)
}

// watchSeeder looks at what a seeder sends until its receiver has it.
func watchSeeder(ctx context.Context, seeder, getter *process) (float64, error) {
	m := pace{least: 6}
	every := time.NewTicker(time.Millisecond)
	defer every.Stop()
	limit := time.NewTimer(ready)
	defer limit.Stop()
	pid := seeder.cmd.Process.Pid
	before := written(pid)
	for !m.enough() {
		select {
		case <-every.C:
			now := written(pid)
			if now-before >= blockContent { // shorter is something else, and soon part of a block
				m.take(time.Now(), now-before)
				before = now
			}
		case <-getter.done:
			if getter.err != nil {
				return 0, fault.Errorf(fault.Closed, "the receiver ended: %v: %s", getter.err, getter.said)
			}
			return m.rate() * blockContent / blockSent, nil
		case <-seeder.done:
			return 0, fault.Errorf(fault.Closed, "the seeder ended: %v: %s", seeder.err, seeder.said)
		case <-limit.C:
			return 0, fault.Errorf(fault.Timeout, "nothing came")
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return m.rate() * blockContent / blockSent, nil
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

// lans lets two offices of five fetch the same file. They can reach each other,
// too: what leaves an office is what its nodes give to the other.
func lans(ctx context.Context, b *bench) (*page.Figures, error) {
	const (
		size     = 64 << 20
		up, down = 20e6, 40e6
		origins  = 100e6
	)
	dir, err := b.folder("lans")
	if err != nil {
		return nil, err
	}
	star, err := real.NewStar(ctx)
	if err != nil {
		return nil, err
	}
	defer star.Close()
	host, err := star.Add(ctx, real.Link{Up: origins, Apart: true})
	if err != nil {
		return nil, err
	}
	var offices []*real.LAN
	var hosts []*real.Host
	for range 2 {
		l, err := star.LAN(ctx, real.Link{Up: up, Down: down, Apart: true})
		if err != nil {
			return nil, err
		}
		more, err := l.AddN(ctx, 5, real.Link{})
		if err != nil {
			return nil, err
		}
		offices, hosts = append(offices, l), append(hosts, more...)
	}
	file := filepath.Join(dir, "content", "content.bin")
	if err := peers.WriteRandom(file, size, 5); err != nil {
		return nil, err
	}
	o, err := startOrigin(ctx, host, filepath.Join(dir, "server"), file)
	if err != nil {
		return nil, err
	}
	defer o.Kill()
	var before [2]real.Traffic
	for i, l := range offices {
		if before[i], err = l.Router.Traffic(); err != nil {
			return nil, err
		}
	}
	got, err := receive(ctx, peers.Tandem, peers.Job{Magnet: o.link.Link, LAN: true}, host, hosts, dir, filepath.Dir(file), 3*time.Minute)
	if err != nil {
		return nil, err
	}
	bound := size * 8 / float64(down)
	f := &page.Figures{
		Head: []string{"LAN", "copies entering", "copies leaving", "last (s)", "last / bound", "machine busy", ""},
		Note: fmt.Sprintf("64 MiB, uplinks 20 up / 40 down, server 100 Mbit/s; bound: one copy through the downlink, %.2f s. The server's host sent %.2f copies. TCP payload at the routers, all that is not content included.", bound, float64(got.sent)/size),
	}
	if len(got.ends) > 0 {
		f.Note += " One of them said: `" + got.ends[0] + "`."
	}
	note := ""
	if got.load > 0.7 {
		note = "void: the machine was busy"
	}
	for i, l := range offices {
		after, err := l.Router.Traffic()
		if err != nil {
			return nil, err
		}
		in, out := after.Received.Minus(before[i].Received).Payload(), after.Sent.Minus(before[i].Sent).Payload()
		f.Add(fmt.Sprint(i+1), fmt.Sprintf("%.3f", float64(in)/size), fmt.Sprintf("%.3f", float64(out)/size),
			seconds(got.last), fmt.Sprintf("%.3f", got.last.Seconds()/bound), fmt.Sprintf("%.0f %%", 100*got.load), note)
	}
	return f, nil
}

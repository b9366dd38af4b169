package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tandem/test/servers"
)

// uploads is a crowd that puts files of different content.
type uploads struct {
	servers             []*servers.Server
	clients, each, size int
	prefix              string
	mayFail             bool // when a server dies: the client turns to the next file

	mu      sync.Mutex
	acked   map[string][32]byte
	refused int
	elapsed time.Duration
}

func (u *uploads) rate() float64 {
	return float64(len(u.acked)*u.size) / u.elapsed.Seconds() / 1e6
}

// run lets every client put its files; kill, if any, is called once a quarter is acknowledged.
func (u *uploads) run(ctx context.Context, kill func()) error {
	u.acked = map[string][32]byte{}
	login, err := bearer(ctx, u.servers[0].URL)
	if err != nil {
		return err
	}
	login = strings.TrimSpace(strings.TrimPrefix(login, "Authorization: "))
	var once sync.Once
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for c := range u.clients {
		g.Go(func() error {
			to := u.servers[c%len(u.servers)]
			for i := range u.each {
				name := fmt.Sprintf("%s/%d-%d", u.prefix, c, i)
				sum, err := u.put(ctx, to.URL, login, name, uint64(c)<<32|uint64(i))
				if err != nil && !u.mayFail {
					return err
				}
				u.mu.Lock()
				if err != nil {
					u.refused++
				} else {
					u.acked[name] = sum
				}
				enough := len(u.acked) >= u.clients*u.each/4
				u.mu.Unlock()
				if enough && kill != nil {
					once.Do(kill)
				}
			}
			return nil
		})
	}
	err = g.Wait()
	u.elapsed = time.Since(start)
	return err
}

func (u *uploads) put(ctx context.Context, url, login, name string, seed uint64) (sum [32]byte, err error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], u.prefix)
	body := make([]byte, u.size)
	_, _ = rand.NewChaCha8(key).Read(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, contentURL(url, name), bytes.NewReader(body))
	if err != nil {
		return sum, err
	}
	req.Header.Set("Authorization", login)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return sum, err
	}
	defer r.Body.Close()
	if text, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusCreated {
		return sum, fmt.Errorf("put %s: %s: %s", name, r.Status, text)
	}
	return sha256.Sum256(body), nil
}

func contentURL(url, name string) string {
	return url + "/api/v1/collections/" + collection + "/content/" + name
}

// missing counts acknowledged files that s does not give back as they were.
func (u *uploads) missing(ctx context.Context, s *servers.Server) (lost int, err error) {
	login, err := bearer(ctx, s.URL)
	if err != nil {
		return 0, err
	}
	for name, want := range u.acked {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, contentURL(s.URL, name), nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", strings.TrimSpace(strings.TrimPrefix(login, "Authorization: ")))
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		h := sha256.New()
		_, err = io.Copy(h, r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || [32]byte(h.Sum(nil)) != want {
			lost++
		}
	}
	return lost, nil
}

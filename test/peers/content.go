package peers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/store/disk"
)

// WriteRandom writes size bytes of incompressible content made from seed.
func WriteRandom(path string, size int64, seed uint64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var key [32]byte
	key[0], key[1], key[2], key[3] = byte(seed), byte(seed>>8), byte(seed>>16), byte(seed>>24)
	if _, err := io.CopyBuffer(f, io.LimitReader(rand.NewChaCha8(key), size), make([]byte, 1<<20)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Versions says which BitTorrent versions a torrent is made for.
type Versions struct{ V1, V2 bool }

// The usual ones.
var (
	V1     = Versions{V1: true}
	V2     = Versions{V2: true}
	Hybrid = Versions{V1: true, V2: true}
)

// MakeTorrent describes the file or folder at path and writes a .torrent.
func MakeTorrent(ctx context.Context, path, out string, v Versions, trackers ...string) (*metainfo.Torrent, error) {
	return MakeSeeded(ctx, path, out, v, nil, trackers...)
}

// MakeSeeded is MakeTorrent with web seeds (BEP 19).
func MakeSeeded(ctx context.Context, path, out string, v Versions, seeds []string, trackers ...string) (*metainfo.Torrent, error) {
	src, err := disk.Scan(ctx, path)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, f := range src.Files {
		total += f.Length
	}
	m := &content.Manifest{Name: src.Name, Single: src.Single, Files: src.Files, HasV1: v.V1, HasV2: v.V2, PieceLength: content.PieceLength(total)}
	m.Seal()
	d, err := content.HashFiles(ctx, m, v.V1, v.V2, src.Open, runtime.NumCPU(), nil)
	if err != nil {
		return nil, err
	}
	o := metainfo.BuildOptions{V1: v.V1, V2: v.V2, WebSeeds: seeds}
	if len(trackers) > 0 {
		o.Trackers = [][]string{trackers}
	}
	t, err := metainfo.Build(m, d, o)
	if err != nil {
		return nil, err
	}
	b, err := t.Encode()
	if err != nil {
		return nil, err
	}
	return t, os.WriteFile(out, b, 0o644)
}

// TreeSum returns a digest over names and bytes of the file or folder at path,
// leaving out what clients keep beside the content.
func TreeSum(path string) (string, error) {
	h := sha256.New()
	var names []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".tandem-") {
			return filepath.SkipDir
		}
		if err == nil && d.Type().IsRegular() && filepath.Ext(p) != ".aria2" {
			names = append(names, p)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	sort.Strings(names)
	for _, n := range names {
		rel, _ := filepath.Rel(path, n)
		fmt.Fprintf(h, "%s\x00", rel)
		f, err := os.Open(n)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

package interop

import (
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tandem/test/peers"
)

// TestOldClientsCannotReadHybrids records why the matrix has no hybrid content
// for transmission 3.00 and aria2 1.36: BEP 52's file tree has an empty key,
// which the one refuses and the other loses, so that it computes another
// info-hash. Torrents made by libtorrent fare the same. When this test fails,
// Debian has a newer client: take hybrids into the matrix.
func TestOldClientsCannotReadHybrids(t *testing.T) {
	dir, host := t.TempDir(), newArena(t).host() // off the machine's network
	file := filepath.Join(dir, "content.bin")
	if err := peers.WriteRandom(file, 300_000, 5); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(dir, "ours.torrent")
	tor, err := peers.MakeTorrent(t.Context(), file, ours, peers.Hybrid)
	if err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "theirs.torrent")
	script := `import libtorrent as lt, sys
fs = lt.file_storage(); lt.add_files(fs, sys.argv[1])
ct = lt.create_torrent(fs, piece_size=32768); lt.set_piece_hashes(ct, sys.argv[3])
open(sys.argv[2], "wb").write(lt.bencode(ct.generate()))
print(lt.torrent_info(sys.argv[2]).info_hashes().v1)`
	out, err := exec.Command("/usr/bin/python3", "-c", script, file, theirs, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("libtorrent: %v: %s", err, out)
	}
	want := hex.EncodeToString(tor.Manifest.InfoHash1[:])
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("libtorrent makes %s of the same content, we make %s", got, want)
	}
	for _, path := range []string{ours, theirs} {
		if out, err := exec.Command("aria2c", "--no-conf=true", "-S", path).CombinedOutput(); err != nil || strings.Contains(string(out), want) {
			t.Errorf("aria2 reads %s now: %v %s", filepath.Base(path), err, out)
		}
		state := t.TempDir()
		out, err := host.Command(t.Context(), "transmission-cli", "-g", state, "-w", dir, path).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Failed opening torrent file") {
			t.Errorf("transmission reads %s now: %v %s", filepath.Base(path), err, out)
		}
	}
}

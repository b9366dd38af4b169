package node

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"tandem/test/engines"
)

// TestTwoServersOnOneDatabaseAndStore: nothing of theirs is on this machine, so that any number may run.
func TestTwoServersOnOneDatabaseAndStore(t *testing.T) {
	database, stop, err := engines.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	objects, err := engines.NewS3(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(objects.Stop)
	cfg := ServerConfig{DataConfig: DataConfig{Data: filepath.Join(t.TempDir(), "data"), Database: database, Blobs: objects.URL}}
	if err := MakeAdmin(t.Context(), cfg.DataConfig, "ann", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	a, b := serve(t, cfg), serve(t, cfg)
	for _, s := range []*serving{a, b} {
		if status, body := get(t, browser(t, nil), s.URL+"/readyz"); status != http.StatusOK || s.Setup != "" {
			t.Errorf("%d %s, set up at %q", status, body, s.Setup)
		}
	}
	for _, f := range Doctor(t.Context(), cfg) {
		if f.State != FindingOK {
			t.Errorf("%+v", f)
		}
	}
	if _, err := os.Stat(cfg.Data); err == nil {
		t.Error("a data folder was made for nothing")
	}
	for _, s := range []*serving{a, b} {
		s.stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	}
}

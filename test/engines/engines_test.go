package engines_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tandem/test/engines"
)

func TestMain(m *testing.M) {
	defer engines.Close()
	m.Run()
}

func TestPostgresKeepsWhatWasCommittedOverAStop(t *testing.T) {
	pg := engines.Cluster(t)
	url := pg.Database(t)
	exec := func(sql string) {
		t.Helper()
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE x (n int)")
	pg.Stop()
	if c, err := pgx.Connect(t.Context(), url); err == nil {
		c.Close(t.Context())
		t.Fatal("a stopped cluster answers")
	}
	pg.Start(t)
	exec("INSERT INTO x VALUES (1)")
}

func TestS3KeepsObjectsOverAStop(t *testing.T) {
	s := engines.S3(t)
	c, err := minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s.Key, s.Secret, "")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.FPutObject(t.Context(), s.Bucket, "a/b", "engines_test.go", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Start(t)
	if _, err := c.StatObject(t.Context(), s.Bucket, "a/b", minio.StatObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestNginxServes(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "f"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	addr, stop, err := engines.Nginx(root, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	r, err := http.Get("http://" + addr + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); string(b) != "hello" {
		t.Fatalf("got %d %q", r.StatusCode, b)
	}
}

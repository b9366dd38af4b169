package engines

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// The test's own key.
const (
	s3Key    = "tandemtest"
	s3Secret = "tandem-test-secret"
	s3Bucket = "tandem"
)

// S3Server is versitygw over a folder, with one empty bucket.
type S3Server struct {
	// URL is what --blobs takes.
	URL string
	// Endpoint is 127.0.0.1:PORT; Key, Secret and Bucket are for other clients.
	Endpoint, Key, Secret, Bucket string

	bin, dir string
	port     int
	mu       sync.Mutex
	proc     *process
}

// S3 starts an S3 server that ends with the test.
func S3(t testing.TB) *S3Server {
	t.Helper()
	s, err := NewS3("")
	must(t, err)
	t.Cleanup(s.Remove)
	return s
}

// NewS3 starts an S3 server whose folder is made in parent ("": the system's temporary one).
func NewS3(parent string) (*S3Server, error) {
	home, _ := os.UserHomeDir()
	bin, err := find("versitygw", "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0",
		filepath.Join(os.Getenv("GOBIN"), "versitygw"), filepath.Join(os.Getenv("GOPATH"), "bin", "versitygw"), filepath.Join(home, "go", "bin", "versitygw"))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "tandem-s3-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &S3Server{
		bin: bin, dir: dir, port: port,
		Endpoint: "127.0.0.1:" + strconv.Itoa(port), Key: s3Key, Secret: s3Secret, Bucket: s3Bucket,
	}
	s.URL = fmt.Sprintf("s3://%s:%s@%s/%s?secure=0&region=us-east-1", s3Key, s3Secret, s.Endpoint, s3Bucket)
	for _, sub := range []string{"root/" + s3Bucket, "meta"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if err := s.start(); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *S3Server) start() error {
	// Metadata goes beside the objects, since not every temporary folder has
	// extended attributes.
	cmd := exec.Command(s.bin, "--quiet", "--keep-alive", "--port", s.Endpoint, "posix", "--sidecar", filepath.Join(s.dir, "meta"), filepath.Join(s.dir, "root"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s3Key, "ROOT_SECRET_KEY="+s3Secret)
	p, err := start(cmd)
	if err != nil {
		return err
	}
	s.proc = p
	return waitPort(p, s.port)
}

// Start starts a stopped server on the same port.
func (s *S3Server) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		must(t, s.start())
	}
}

// Stop ends the server at once.
func (s *S3Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.stop(syscall.SIGKILL)
		s.proc = nil
	}
}

// Remove ends the server and deletes its folder.
func (s *S3Server) Remove() {
	s.Stop()
	_ = os.RemoveAll(s.dir)
}

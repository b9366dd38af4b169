package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A floor is a server that does nothing but send one file: what is left of the way to nginx when
// everything that tandem does is taken away. It runs as a process of its own, as nginx and tandem do.
//
// floorHTTP is net/http with http.ServeContent of an *os.File. floorLoop is a goroutine a connection that
// looks for the end of a header, writes its own with MSG_MORE and has the kernel send the file: as little as a
// Go program can do with its own network poller.
const (
	floorHTTP = "net/http, no policy"
	floorLoop = "Go, read and sendfile alone"
)

// floorEnv tells this program to be a floor: its kind, and behind a NUL the file.
const floorEnv = "TANDEM_BENCH_FLOOR"

// startFloor starts a floor and returns where it listens.
func startFloor(kind, file string) (addr string, pid int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), floorEnv+"="+kind+"\t"+file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, fmt.Errorf("start %s: %w", kind, err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid, stop, nil
}

// beFloor serves until the process is killed.
func beFloor(setting string) error {
	kind, file, _ := strings.Cut(setting, "\t")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	if kind == floorHTTP {
		return (&http.Server{Handler: bare(file), ReadHeaderTimeout: time.Minute}).Serve(l)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := loop(c.(*net.TCPConn), f, fi.Size()); !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "floor:", err)
			}
		}()
	}
}

func bare(file string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Unix(1e9, 0), f)
	})
}

// loop answers every request of a connection with the file, until an error ends it.
func loop(c *net.TCPConn, f *os.File, size int64) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	header := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", size)
	buf, have := make([]byte, 4<<10), 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return err
		}
		if have += n; !bytes.Contains(buf[:have], headerEnd) {
			continue
		}
		have = 0
		if err := answer(raw, header, int(f.Fd()), size); err != nil {
			return err
		}
	}
}

// answer sends the header and the file; the header's few bytes always fit.
func answer(raw interface {
	Write(func(uintptr) bool) error
}, header []byte, file int, size int64,
) (err error) {
	var at int64
	werr := raw.Write(func(fd uintptr) bool {
		if at == 0 && header != nil {
			err, header = unix.Sendto(int(fd), header, unix.MSG_MORE|unix.MSG_NOSIGNAL, nil), nil
		}
		for at < size && err == nil {
			var n int
			n, err = unix.Sendfile(int(fd), file, &at, int(size-at))
			switch {
			case errors.Is(err, unix.EAGAIN):
				err = nil
				return false
			case err == nil && n == 0:
				err = io.ErrUnexpectedEOF
			}
		}
		return true
	})
	return errors.Join(err, werr)
}

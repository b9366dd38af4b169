package engines

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Place is where an engine runs and is reached when that is not this machine's
// loopback: a network namespace.
type Place struct {
	Addr    string // IP:PORT to listen on
	Command func(name string, args ...string) *exec.Cmd
	Dial    func(addr string) (net.Conn, error)
}

// Nginx serves the files under root and returns its address, 127.0.0.1:PORT,
// and what ends it.
func Nginx(root string, workers int) (addr string, stop func(), err error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	stop, err = NginxAt(root, workers, Place{addr, exec.Command, func(a string) (net.Conn, error) { return net.DialTimeout("tcp", a, time.Second) }})
	return addr, stop, err
}

// NginxAt is Nginx at a place of the caller's.
func NginxAt(root string, workers int, at Place) (stop func(), err error) {
	bin, err := find("nginx", "apt-get install nginx-light", "/usr/sbin/nginx")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tandem-nginx-")
	if err != nil {
		return nil, err
	}
	account := ""
	if os.Getuid() == 0 {
		account = "user root;"
	}
	text := fmt.Sprintf(nginxText, account, workers, dir, dir, dir, dir, dir, dir, at.Addr, root)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p, err := start(at.Command(bin, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off;"))
	if err != nil {
		return nil, err
	}
	stop = func() {
		p.stop(syscall.SIGTERM)
		_ = os.RemoveAll(dir)
	}
	answers := func() error {
		c, err := at.Dial(at.Addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
	if err := p.await(answers); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// nginxText is what a careful administrator would write: sendfile, keep-alive, no log.
const nginxText = `%s
worker_processes %d;
pid %s/pid;
events { worker_connections 4096; }
http {
	sendfile on;
	tcp_nopush on;
	access_log off;
	keepalive_timeout 65;
	keepalive_requests 100000;
	default_type application/octet-stream;
	client_body_temp_path %s/body;
	proxy_temp_path %s/proxy;
	fastcgi_temp_path %s/fastcgi;
	uwsgi_temp_path %s/uwsgi;
	scgi_temp_path %s/scgi;
	server {
		listen %s;
		root %s;
	}
}
`

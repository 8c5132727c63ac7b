package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// rival is a proxy that runs.
type rival struct {
	name    string
	address string
	pid     int // of the process that works
	stop    func()
}

// usage is processor time that was used.
type usage struct {
	all          time.Duration
	user, system int64 // ticks, of which there are too few to measure by, but enough for their ratio
}

// usage is what the rival has used until now.
func (r *rival) usage() usage {
	u := usage{all: r.cpu()}
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid)); err == nil {
		_, rest, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(rest); len(fields) > 12 {
			u.user, _ = strconv.ParseInt(fields[11], 10, 64)
			u.system, _ = strconv.ParseInt(fields[12], 10, 64)
		}
	}
	return u
}

// since is what was used after before.
func (u usage) since(before usage) usage {
	return usage{u.all - before.all, u.user - before.user, u.system - before.system}
}

// cpu is the processor time of all threads, to the nanosecond.
func (r *rival) cpu() time.Duration {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", r.pid))
	var sum time.Duration
	for _, t := range threads {
		if data, err := os.ReadFile(t); err == nil {
			first, _, _ := strings.Cut(string(data), " ")
			n, _ := strconv.ParseInt(first, 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// command starts a program on one core and stops it by SIGTERM; one that ends
// before is reported.
func command(core string, env []string, argv ...string) (*exec.Cmd, func(), error) {
	if core != "" {
		argv = append([]string{"taskset", "-c", core}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	var stopping atomic.Bool
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil && !stopping.Load() {
			fmt.Fprintf(os.Stderr, "%s ended by itself: %v\n", argv, err)
		}
	}()
	return cmd, func() {
		stopping.Store(true)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}, nil
}

func awaitListen(ctx context.Context, address string) error {
	for range 200 {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("nothing listens on %s", address)
}

// config is the work that both rivals do: forward, balance, name the client
// and the request.
func config(upstream string) *gateway.Config {
	return &gateway.Config{Version: gateway.ConfigVersion,
		Routes: []gateway.Route{{Service: "shop", Path: "/"}},
		Services: []gateway.Service{{Name: "shop", Releases: []gateway.Release{
			{Name: "v1", Weight: 90, Targets: []gateway.Target{{ID: "a", Address: upstream}, {ID: "b", Address: upstream}}},
			{Name: "v2", Weight: 10, Targets: []gateway.Target{{ID: "c", Address: upstream}}}}}}}
}

func startGreenlight(ctx context.Context, dir, binary, core, upstream string) (*rival, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(config(upstream))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "greenlight.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	cmd, stop, err := command(core, nil, binary, "gateway", "--listen", address, "--config", file, "--control", "unix://"+filepath.Join(dir, "control"))
	if err != nil {
		return nil, err
	}
	return &rival{"greenlight", address, cmd.Process.Pid, stop}, awaitListen(ctx, address)
}

const nginxConfig = `daemon off; pid %[1]s/nginx.pid; error_log stderr error;
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream shop { server %[3]s; keepalive 64; keepalive_requests 100000000; }
  server {
    listen %[2]s;
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Request-Id $request_id;
      add_header X-Request-Id $request_id;
    }
  }
}
`

func startNginx(ctx context.Context, dir, core, upstream string) (*rival, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, address, upstream), 0o600); err != nil {
		return nil, err
	}
	cmd, stop, err := command(core, nil, "nginx", "-c", file, "-p", dir)
	if err != nil {
		return nil, fmt.Errorf("%w; Debian has it: apt-get install nginx-light", err)
	}
	r := &rival{"nginx", address, cmd.Process.Pid, stop}
	if err := awaitListen(ctx, address); err != nil {
		return r, err
	}
	if r.pid, err = worker(cmd.Process.Pid); err != nil {
		return r, err
	}
	return r, nil
}

// worker is nginx's only worker process.
func worker(master int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", master))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) != 1 {
		return 0, fmt.Errorf("nginx has %d workers, want 1", len(fields))
	}
	return strconv.Atoi(fields[0])
}

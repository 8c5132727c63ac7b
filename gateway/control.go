package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// controlServer is where the gateway is steered. The nil server, of a gateway
// without one, does nothing.
type controlServer struct {
	listener net.Listener
	path     string // of a unix socket
	http     *http.Server
	once     sync.Once
	left     bool // to a successor, which now owns the path
}

// openControl opens the control endpoint: a unix socket that only this user
// can connect to, or a loopback address that wants a token.
func (g *Gateway) openControl() error {
	if g.options.Control == "" {
		return nil
	}
	u, err := ParseControl(g.options.Control)
	if err != nil {
		return err
	}
	if u.Scheme == "http" && g.options.ControlToken == "" {
		return greenlight.Errorf(greenlight.CodeInvalid, "control endpoint %s needs a token, as every user of this machine can reach it; a unix socket needs none", g.options.Control)
	}
	ln := g.options.Inherited.Listener("control " + g.options.Control)
	if ln == nil {
		ln, err = listenAfterKill(true, func() (net.Listener, error) { return listenControl(u) })
	}
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "control endpoint %s: %w", g.options.Control, err)
	}
	g.control = &controlServer{
		listener: ln, path: u.Path,
		http: &http.Server{
			Handler: g.guard(g.controlHandler()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute,
			ErrorLog: slog.NewLogLogger(g.options.Log.Handler(), slog.LevelDebug),
		},
	}
	if unix, ok := ln.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // a successor may be listening on it
	}
	return nil
}

// ParseControl reads the address of a control endpoint: unix:///path or
// http://host:port on loopback.
func ParseControl(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
	case u.Scheme == "unix" && u.Host == "" && filepath.IsAbs(u.Path):
		if len(u.Path) > maxSocketPath {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "control endpoint %q: the path has %d bytes, a unix socket's at most %d", address, len(u.Path), maxSocketPath)
		}
		return u, nil
	case u.Scheme == "http" && u.Port() != "" && (u.Path == "" || u.Path == "/"):
		if !loopback(u.Hostname()) {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "control endpoint %q: only loopback is allowed, as 127.0.0.1", address)
		}
		u.Path = ""
		return u, nil
	}
	return nil, greenlight.Errorf(greenlight.CodeInvalid, "control endpoint %q: want unix:///path or http://127.0.0.1:PORT", address)
}

// maxSocketPath is what sun_path holds on every Unix (104 on BSD, with a
// zero).
const maxSocketPath = 103

var errAnswered = errors.New("another gateway answers there")

func listenControl(u *url.URL) (net.Listener, error) {
	if u.Scheme == "http" {
		return net.Listen("tcp", u.Host)
	}
	if c, err := net.DialTimeout("unix", u.Path, time.Second); err == nil {
		_ = c.Close()
		return nil, errAnswered
	}
	if err := os.Remove(u.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ln, err := net.Listen("unix", u.Path)
	if err != nil {
		return nil, err
	}
	return ln, os.Chmod(u.Path, 0o600)
}

func (c *controlServer) serve() { _ = c.http.Serve(c.listener) } // it ends when the listener closes

// url is the address in use.
func (c *controlServer) url() string {
	switch {
	case c == nil:
		return ""
	case c.path != "":
		return "unix://" + c.path
	}
	return "http://" + c.listener.Addr().String()
}

// leave notes that a successor listens on the same path. It is called with
// the gateway's mu held.
func (c *controlServer) leave() {
	if c != nil {
		c.left = true
	}
}

// stopAccepting leaves what comes to a successor, or to nobody.
func (c *controlServer) stopAccepting() {
	if c == nil {
		return
	}
	c.once.Do(func() {
		_ = c.listener.Close()
		if c.path != "" && !c.left {
			_ = os.Remove(c.path)
		}
	})
}

func (c *controlServer) stop(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return shutdown(ctx, c.http)
}

func (c *controlServer) closeNow() {
	if c != nil {
		c.stopAccepting()
		_ = c.http.Close()
	}
}

// guard wants the token where there is one.
func (g *Gateway) guard(next http.Handler) http.Handler {
	if g.options.ControlToken == "" {
		return next
	}
	want := sha256.Sum256([]byte("Bearer " + g.options.ControlToken))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerJSON(w, http.StatusUnauthorized, controlError{Error: "the token is missing or wrong"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// controlError is what the control endpoint answers when it cannot.
type controlError struct {
	Error string          `json:"error"`
	Code  greenlight.Code `json:"code,omitempty"`
}

func (g *Gateway) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, g.table.Load().config)
	})
	mux.HandleFunc("PUT /config", g.putConfig)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, g.Status()) })
	mux.Handle("GET /metrics", g.metrics.handler())
	for verb, state := range map[string]State{"drain": Draining, "pause": Paused, "resume": Active} {
		mux.HandleFunc("POST /"+verb, func(w http.ResponseWriter, r *http.Request) {
			answer(w, g.SetState(r.URL.Query().Get("service"), state), struct{}{})
		})
	}
	mux.HandleFunc("POST /upgrade", func(w http.ResponseWriter, _ *http.Request) {
		pid, err := g.Upgrade()
		answer(w, err, Upgraded{PID: pid})
	})
	return mux
}

// Upgraded names the process that took over.
type Upgraded struct {
	PID int `json:"pid"`
}

func (g *Gateway) putConfig(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxConfigBytes+1))
	if err != nil {
		answer(w, greenlight.Errorf(greenlight.CodeInvalid, "reading the configuration: %w", err), nil)
		return
	}
	c, err := ParseConfig(data)
	if err == nil {
		err = g.Apply(c)
	}
	answer(w, err, struct{}{})
}

func answer(w http.ResponseWriter, err error, v any) {
	if err == nil {
		answerJSON(w, http.StatusOK, v)
		return
	}
	status := http.StatusInternalServerError
	switch greenlight.CodeOf(err) {
	case greenlight.CodeInvalid:
		status = http.StatusBadRequest
	case greenlight.CodeNotFound:
		status = http.StatusNotFound
	case greenlight.CodeUnavailable:
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, controlError{err.Error(), greenlight.CodeOf(err)})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, fmt.Appendf(nil, `{"error":%q}`, err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // the client may be gone
}

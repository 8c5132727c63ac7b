package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/greenlight-dev/greenlight/tensor"
)

const (
	bareRow  = "/predict, against a bare net/http handler"
	flaskRow = "/predict, against Flask + gunicorn + scikit-learn"
)

// serving compares requests a second: every server on one core, the load on
// another, all servers up all the time and loaded in turn.
func (c *config) serving(t *table) error {
	bare, flask := c.only.MatchString(bareRow), c.only.MatchString(flaskRow)
	if !bare && !flask {
		return nil
	}
	work, err := os.MkdirTemp("", "greenlight-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	body, answer := filepath.Join(work, "request.json"), filepath.Join(work, "answer.json")
	if err := c.writeRequest(body); err != nil {
		return err
	}
	ours, err := c.serve(c.greenlight, "serve", filepath.Join(c.examples, "bench/models/forest.onnx"), "--addr")
	if err != nil {
		return err
	}
	defer ours.stop()
	reply, err := ours.ask(body)
	if err != nil {
		return err
	}
	if err := os.WriteFile(answer, reply, 0o600); err != nil {
		return err
	}
	if bare {
		rival, err := c.serve(executable(), "bare", "-answer", answer, "-addr")
		if err != nil {
			return err
		}
		if err := c.race(t, bareRow, ours, rival, body, 0.75); err != nil {
			return err
		}
		t.Rivals = append(t.Rivals, "Go's net/http")
	}
	if flask {
		return c.raceFlask(t, ours, body)
	}
	return nil
}

// raceFlask runs gunicorn as its documentation has it: one worker, of the
// default kind.
func (c *config) raceFlask(t *table, ours *server, body string) error {
	rival, err := c.serve(c.python, "-m", "gunicorn", "--chdir", filepath.Join(filepath.Dir(c.examples), "bench"), "--workers", "1",
		"--log-level", "warning", "--env", "FOREST="+c.forest, "flask_forest:app", "--bind")
	if err != nil {
		return err
	}
	if err := sameLabel(ours, rival, body); err != nil {
		return errors.Join(err, rival.stop())
	}
	versions, err := exec.Command(c.python, "-c",
		"import importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in ('Flask', 'gunicorn', 'scikit-learn')))").Output()
	if err != nil {
		return errors.Join(err, rival.stop())
	}
	t.Rivals = append(t.Rivals, strings.TrimSpace(string(versions)))
	return c.race(t, flaskRow, ours, rival, body, 80)
}

// race alternates the load between two servers, and stops the rival.
func (c *config) race(t *table, what string, ours, rival *server, body string, target float64) error {
	defer rival.stop()
	progress("%s", what)
	for _, s := range []*server{ours, rival} { // until both are warm
		if _, err := c.load(s, body); err != nil {
			return err
		}
	}
	figures, err := alternate(rounds,
		func() (float64, error) { return c.load(ours, body) },
		func() (float64, error) { return c.load(rival, body) })
	if err != nil {
		return err
	}
	t.Rows = append(t.Rows, compared(what, "/s", figures[0], figures[1], quotients(figures[0], figures[1]), target))
	return nil
}

// load is a server's requests a second over one round.
func (c *config) load(s *server, body string) (float64, error) {
	out, err := self(c.clientCore, "client", "-url", s.url+"/predict", "-body", body).Output()
	if err != nil {
		return 0, fmt.Errorf("loading %s: %w", s.name, err)
	}
	var l load
	if err := json.Unmarshal(out, &l); err != nil {
		return 0, err
	}
	return float64(l.Requests) / l.Seconds, nil
}

// writeRequest writes one held-out row with named columns, as `greenlight
// serve` suggests it.
func (c *config) writeRequest(path string) error {
	rows, err := readRows(filepath.Join(c.examples, "bench/models/forest.json"))
	if err != nil {
		return err
	}
	m, err := openModel(filepath.Join(c.examples, "bench/models/forest.onnx"))
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal([]byte(m.Metadata["greenlight.features"]), &names); err != nil {
		return fmt.Errorf("the forest's feature names: %w", err)
	}
	var b bytes.Buffer
	for i, name := range names {
		fmt.Fprintf(&b, ",%q:%v", name, tensor.Data[float32](rows)[i])
	}
	return os.WriteFile(path, fmt.Appendf(nil, `{"rows":[{%s}]}`, b.Bytes()[1:]), 0o600)
}

// sameLabel checks that both servers run the same model.
func sameLabel(a, b *server, body string) error {
	var labels [2]string
	for i, s := range []*server{a, b} {
		data, err := s.ask(body)
		if err != nil {
			return err
		}
		var answer struct{ Predictions []struct{ Label string } }
		if err := json.Unmarshal(data, &answer); err != nil || len(answer.Predictions) != 1 {
			return fmt.Errorf("%s answers %q", s.name, data)
		}
		labels[i] = answer.Predictions[0].Label
	}
	if labels[0] != labels[1] {
		return fmt.Errorf("%s answers %q, %s %q", a.name, labels[0], b.name, labels[1])
	}
	return nil
}

// server is a child process that answers HTTP on the server core.
type server struct {
	name string
	url  string
	cmd  *exec.Cmd
}

// startServer starts a command whose last argument is missing: the address. It
// returns as soon as the process runs, ready or not.
func (c *config) startServer(name string, args ...string) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := listener.Addr().String()
	listener.Close()
	s := &server{name: filepath.Base(name), url: "http://" + addr, cmd: pinned(c.serverCore, name, append(args, addr)...)}
	return s, s.cmd.Start()
}

// serve is startServer, and waits until the server accepts connections.
func (c *config) serve(name string, args ...string) (*server, error) {
	s, err := c.startServer(name, args...)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			return s, conn.Close()
		}
	}
	return nil, errors.Join(fmt.Errorf("%s is not ready after a minute", s.name), s.stop())
}

// stop ends the server the way that it prefers.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// ask sends the request once, without being measured.
func (s *server) ask(body string) ([]byte, error) {
	data, err := os.ReadFile(body)
	if err != nil {
		return nil, err
	}
	r, err := http.Post(s.url+"/predict", "application/json", bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", s.name, r.Status, answer)
	}
	return answer, err
}

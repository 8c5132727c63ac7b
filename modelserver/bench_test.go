package modelserver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/modelserver"
)

// penguinsRow is a request with one row of the penguins example.
const penguinsRow = `{"rows":[{"bill_length_mm":43.2,"bill_depth_mm":16.6,"flipper_length_mm":187.0,"body_mass_g":2900.0,"island":"Dream","sex":"female"}]}`

// forestRow is the 30 features of one row of the forest.
const forestRow = `[[13.68,16.33,87.76,575.5,0.09277,0.07255,0.01752,0.0188,0.1631,0.06155,0.2047,0.4801,1.373,17.25,0.003828,` +
	`0.007228,0.007078,0.005077,0.01054,0.001697,15.85,20.2,101.6,773.4,0.1264,0.1564,0.1206,0.08704,0.2806,0.07782]]`

// benchmarked are a model and a request; without a body it is a row of zeros
// with named columns.
var benchmarked = []struct{ name, model, body string }{
	{"penguins", "../examples/penguins", penguinsRow},
	{"forest", "../examples/bench/models/forest.onnx", forestRow},
	{"forest-named", "../examples/bench/models/forest.onnx", ""},
}

// BenchmarkRequest is what a request costs beside net/http: reading the body
// (read), with the engine and the answer (predict), and with the routing,
// the limits and the metrics (handler).
func BenchmarkRequest(b *testing.B) {
	for _, c := range benchmarked {
		m := load(b, c.model)
		body := []byte(c.body)
		if c.body == "" {
			body = m.SampleRequest()
		}
		batch := modelserver.NewBatch(m.Schema)
		read := func(b *testing.B) {
			batch.Reset()
			if err := batch.ReadJSON(body); err != nil {
				b.Fatal(err)
			}
		}
		var dst []byte
		predict := func(b *testing.B) {
			read(b)
			a, err := m.Predict(context.Background(), batch)
			if err != nil {
				b.Fatal(err)
			}
			dst = a.AppendJSON(dst[:0], 0)
		}
		handle := handling(b, m, body)
		for _, step := range []struct {
			name string
			run  func(*testing.B)
		}{{"read", read}, {"predict", predict}, {"handler", handle}} {
			b.Run(c.name+"/"+step.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					step.run(b)
				}
			})
		}
	}
}

// handling calls the server's handler with the same request again and again.
func handling(b *testing.B, m *modelserver.Model, body []byte) func(*testing.B) {
	s, err := modelserver.NewServer([]*modelserver.Model{m}, modelserver.Options{})
	if err != nil {
		b.Fatal(err)
	}
	handler := s.Handler()
	reader := bytes.NewReader(nil)
	request := httptest.NewRequest("POST", "/predict", nil)
	request.Body = io.NopCloser(reader)
	w := &discarding{header: http.Header{}}
	return func(b *testing.B) {
		reader.Reset(body)
		handler.ServeHTTP(w, request)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}

// discarding is a ResponseWriter that keeps the status only.
type discarding struct {
	header http.Header
	status int
}

func (d *discarding) Header() http.Header         { return d.header }
func (d *discarding) WriteHeader(status int)      { d.status = status }
func (d *discarding) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkServe compares requests a second of /predict with those of a bare
// net/http handler that reads the same body and answers the same bytes, in
// turns, over connections that are kept open. Time is that of the process on
// the cores, so that other processes do not count; the client's is in both.
func BenchmarkServe(b *testing.B) {
	for _, c := range benchmarked[:2] {
		b.Run(c.name, func(b *testing.B) {
			addr, _, _ := start(b, modelserver.Options{}, load(b, c.model))
			reply := post(b, "http://"+addr+"/predict", c.body).body + "\n"
			bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil {
					b.Error(err)
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, reply)
			}))
			defer bare.Close()
			const requests = 2000
			var spent [2]time.Duration
			rounds := 0
			for b.Loop() {
				for i, addr := range []string{addr, bare.Listener.Addr().String()} {
					began := cpuTime(b)
					hammer(b, addr, c.body, requests)
					spent[i] += cpuTime(b) - began
				}
				rounds++
			}
			rate := func(i int) float64 { return float64(rounds*requests) / spent[i].Seconds() }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate(0), "predict/s")
			b.ReportMetric(rate(1), "bare/s")
			b.ReportMetric(rate(0)/rate(1), "ratio")
		})
	}
}

// cpuTime is what the process has spent on all cores.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hammer sends n requests over four connections. It reads as many bytes for
// each answer as the first one had, so that it costs little itself.
func hammer(b *testing.B, addr, body string, n int) {
	const connections = 4
	request := fmt.Appendf(nil, "POST /predict HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", addr, len(body), body)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			if err := converse(addr, request, n/connections); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

func converse(addr string, request []byte, n int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	buf := make([]byte, 4096)
	length := 0
	for i := range n {
		if _, err := c.Write(request); err != nil {
			return err
		}
		if i == 0 {
			length, err = c.Read(buf)
		} else {
			_, err = io.ReadFull(c, buf[:length])
		}
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(buf, []byte("HTTP/1.1 200 OK\r\n")) {
			return fmt.Errorf("got %s", buf)
		}
	}
	return nil
}

package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/greenlight-dev/greenlight/gateway"
)

// answerWriter is the cheapest ResponseWriter: what is measured is the
// gateway.
type answerWriter struct {
	header http.Header
	status int
}

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }

// BenchmarkExchange is one request from the handler on, over a real
// connection to a target that does nothing, in the same process.
func BenchmarkExchange(b *testing.B) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"predictions":[{"species":"Adelie"}]}`)
	}))
	defer target.Close()
	g, err := gateway.New(gateway.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	address := target.Listener.Addr().String()
	if err := g.Apply(one(gateway.Service{Releases: []gateway.Release{release("v1", 9, address, address), release("v2", 1, address)}})); err != nil {
		b.Fatal(err)
	}
	h := g.Handler()
	body := []byte(`{"rows":[{"bill_length_mm":39.1,"bill_depth_mm":18.7}]}`)
	for _, method := range []string{"GET", "POST"} {
		b.Run(method, func(b *testing.B) {
			b.ReportAllocs()
			w := &answerWriter{header: make(http.Header)}
			for b.Loop() {
				r := httptest.NewRequest(method, "http://shop.example/predict", nil)
				if method == "POST" {
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				}
				clear(w.header)
				h.ServeHTTP(w, r)
				if w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// BenchmarkLookup is a request that finds no target: everything up to the
// choice of one, among ten thousand routes.
func BenchmarkLookup(b *testing.B) {
	c := &gateway.Config{Version: 1, Services: []gateway.Service{{Name: "s"}}}
	for i := range 100 {
		for j := range 100 {
			c.Routes = append(c.Routes, gateway.Route{Service: "s", Hosts: []string{"h" + string(rune('a'+i%26)) + ".example"},
				Path: "/" + string(rune('a'+i%26)) + "/" + string(rune('a'+j%26)) + "/x"})
		}
	}
	g, err := gateway.New(gateway.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	if err := g.Apply(c); err != nil {
		b.Fatal(err)
	}
	h := g.Handler()
	w := &answerWriter{header: make(http.Header)}
	r := httptest.NewRequest("GET", "http://hq.example/q/z/x/1/2/3", nil)
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.status != http.StatusServiceUnavailable {
		b.Fatal(w.status)
	}
}

// BenchmarkApply500 is a change of one service among 500 with two targets
// each.
func BenchmarkApply500(b *testing.B) {
	c := &gateway.Config{Version: 1}
	for i := range 500 {
		name := "s" + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
		c.Routes = append(c.Routes, gateway.Route{Service: name, Path: "/" + name})
		c.Services = append(c.Services, gateway.Service{Name: name, Releases: []gateway.Release{release("v1", 1, "127.0.0.1:1", "127.0.0.1:2")}})
	}
	g, err := gateway.New(gateway.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	for b.Loop() {
		if err := g.Apply(c); err != nil {
			b.Fatal(err)
		}
	}
}

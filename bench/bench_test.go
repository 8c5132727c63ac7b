package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestQuantile(t *testing.T) {
	sorted := []float64{1, 2, 4, 8}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.25: 1.75, 1: 8} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := median([]float64{9}); got != 9 {
		t.Errorf("the median of one is %v", got)
	}
}

// Every side begins as often as the others, and keeps its own figures.
func TestAlternate(t *testing.T) {
	var order []byte
	named := func(name byte, figure float64) side {
		return func() (float64, error) {
			order = append(order, name)
			return figure, nil
		}
	}
	figures, err := alternate(4, named('a', 1), named('b', 2))
	if err != nil {
		t.Fatal(err)
	}
	if string(order) != "abbaabba" {
		t.Errorf("order %s", order)
	}
	if q := quotients(figures[1], figures[0]); !slices.Equal(q, []float64{2, 2, 2, 2}) {
		t.Errorf("quotients %v", q)
	}
}

func TestPerCall(t *testing.T) {
	round, err := perCall(func(int) error { time.Sleep(time.Millisecond); return nil })
	if err != nil {
		t.Fatal(err)
	}
	ns, err := round()
	if err != nil || ns < 1e6 || ns > 50e6 {
		t.Errorf("a call that sleeps 1 ms takes %v ns, error %v", ns, err)
	}
}

func TestTable(t *testing.T) {
	tab := table{Machine: "a machine", Rivals: []string{"Rival 1.2"}, Notes: []string{"A note."}, Rows: []row{
		compared("fast", "ns", []float64{100}, []float64{1500}, []float64{14, 15, 16}, 3),
		compared("slow", "/s", []float64{100}, []float64{200}, []float64{0.5}, 0.75),
		limited("start", "ms", 12.3, 100),
	}}
	var b strings.Builder
	tab.print(&b)
	want := `
Greenlight against Rival 1.2
a machine

       Greenlight    rival   ratio    quartiles    target  met
fast       100 ns  1.50 µs  15.00×  14.50–15.50      ≥ 3×  yes
slow        100/s    200/s   0.50×    0.50–0.50   ≥ 0.75×   NO
start     12.3 ms                                < 100 ms  yes

A note.
`
	if b.String() != want {
		t.Errorf("got%s\nwant%s", b.String(), want)
	}
	if tab.missed() != 1 {
		t.Errorf("%d missed", tab.missed())
	}
	path := filepath.Join(t.TempDir(), "table.json")
	if err := tab.writeJSON(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Rows []row }
	if err := json.Unmarshal(data, &read); err != nil || len(read.Rows) != 3 || *read.Rows[1].Met || read.Rows[0].Ratio != 15 {
		t.Errorf("%s: %v", data, err)
	}
}

// The load client counts what a real server answered, whether it keeps
// connections or closes them.
func TestClient(t *testing.T) {
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte(`{"rows":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, closing := range []bool{false, true} {
		served := make(chan string, 1<<20)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data, _ := io.ReadAll(r.Body)
			served <- r.Method + r.URL.Path + string(data)
			if closing {
				w.Header().Set("Connection", "close")
			}
			_, _ = w.Write([]byte("answer"))
		}))
		var out bytes.Buffer
		err := clientPart([]string{"-url", server.URL + "/predict", "-body", body, "-duration", "100ms"}, &out)
		server.Close()
		var l load
		if err != nil || json.Unmarshal(out.Bytes(), &l) != nil {
			t.Fatalf("%s: %v", out.String(), err)
		}
		if l.Requests < 8 || l.Requests != len(served) || l.Seconds < 0.1 {
			t.Errorf("closing %v: %+v, %d served", closing, l, len(served))
		}
		if got := <-served; got != `POST/predict{"rows":[]}` {
			t.Errorf("served %s", got)
		}
	}
}

func TestClientFailsOnErrors(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n": "500",
		"HTTP/1.1 200 OK\r\n\r\n":                           "length",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort": "EOF",
		"": "EOF",
	} {
		if _, err := readAnswer(bufio.NewReader(strings.NewReader(answer))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", answer, err, want)
		}
	}
}

// Every model loads, and runs on all its rows.
func TestContestsRun(t *testing.T) {
	all, err := contests("../examples", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 7 {
		t.Errorf("%d contests", len(all))
	}
	for _, c := range all {
		n, err := c.open(native.New(native.Options{}))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if err := agree(n, n); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		last := n.out[len(n.out)-1].(*tensor.Tensor)
		for _, v := range tensor.Data[float32](last) {
			if math.IsNaN(float64(v)) {
				t.Errorf("%s: an output is not a number", c.what)
				break
			}
		}
	}
}

func TestDisagreementIsFound(t *testing.T) {
	all, err := contests("../examples", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other := all[0]
	other.rows = tensor.New(tensor.Float32, all[0].rows.Shape()...)
	a, err := all[0].open(native.New(native.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := other.open(native.New(native.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := agree(a, b); err == nil {
		t.Error("two models with different inputs agree")
	}
}

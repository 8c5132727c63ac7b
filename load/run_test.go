package load_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/greenlight-dev/greenlight/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plan is a test of requests against a URL, without the mistakes that are
// not the test's matter.
func plan(t testing.TB, url string, requests ...load.Request) load.Options {
	t.Helper()
	target := must[*load.Target](t)(load.ParseTarget(context.Background(), url))
	if len(requests) == 0 {
		requests = []load.Request{{}}
	}
	mix := must[*load.Mix](t)(load.NewMix(target, requests, nil, true, 1))
	return load.Options{Target: target, Mix: mix, Connections: 8, Timeout: 5 * time.Second}
}

// open adds a rate.
func open(t testing.TB, o load.Options, rate float64, d time.Duration) load.Options {
	t.Helper()
	o.Arrivals = must[*load.Arrivals](t)(load.Constant(rate, d))
	return o
}

func run(t testing.TB, o load.Options) *load.Result {
	t.Helper()
	return must[*load.Result](t)(load.Run(context.Background(), o))
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestOpenModel(t *testing.T) {
	var served atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		fmt.Fprint(w, "hello")
	})
	var seconds []load.Second
	o := open(t, plan(t, url+"/x"), 200, 1200*time.Millisecond)
	o.Observe = func(s load.Second) { seconds = append(seconds, s) }
	r := run(t, o)
	if r.Requests != 240 || served.Load() != 240 || r.Errors != 0 || r.Statuses["200"] != 240 {
		t.Errorf("%d requests, %d served, %d errors, statuses %v; want 240 answered", r.Requests, served.Load(), r.Errors, r.Statuses)
	}
	if r.Model != "open" || r.Planned != 200 || r.Rate < 100 || r.Rate > 200.01 {
		t.Errorf("model %s, planned %v, rate %v", r.Model, r.Planned, r.Rate)
	}
	if r.ResponseTimes.Count() != 240 || r.LagTimes.Count() != 240 || r.Response.P50 <= 0 || r.Service.Min <= 0 || r.Response.Max < r.Response.P99 {
		t.Errorf("response %+v, service %+v, lag %+v", r.Response, r.Service, r.Lag)
	}
	if len(r.Routes) != 1 || r.Routes[0].Name != "GET /x" || r.Routes[0].Status != 200 || r.Routes[0].Requests != 240 {
		t.Errorf("routes %+v", r.Routes)
	}
	var sum int64
	for _, s := range seconds {
		sum += s.Requests
	}
	if sum != 240 || !slices.Equal(seconds, r.Seconds) || r.BytesIn < 240*100 || r.BytesOut < 240*50 {
		t.Errorf("seconds %+v, bytes in %d, out %d", seconds, r.BytesIn, r.BytesOut)
	}
}

func TestClosedModel(t *testing.T) {
	var now, most atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(10 * time.Millisecond)
	})
	o := plan(t, url)
	o.Clients, o.Think, o.Duration = 3, 10*time.Millisecond, 500*time.Millisecond
	r := run(t, o)
	if r.Model != "closed" || r.Errors != 0 || most.Load() > 3 || r.Connections != 3 {
		t.Errorf("model %s, %d errors, %d at once over %d connections", r.Model, r.Errors, most.Load(), r.Connections)
	}
	if r.Requests < 15 || r.Requests > 3*26 { // at least 20 ms each round
		t.Errorf("%d requests of 3 clients in 0.5 s", r.Requests)
	}
}

// TestWaitingCounts: a target that stands still makes everything late that
// was due meanwhile. The truth is computed from when it really stood still.
func TestWaitingCounts(t *testing.T) {
	var mu sync.Mutex
	begin := time.Time{}
	const every, still = 500 * time.Millisecond, 200 * time.Millisecond
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if begin.IsZero() {
			begin = time.Now()
		}
		into := time.Since(begin) % every
		mu.Unlock()
		if into > every-still {
			time.Sleep(every - into)
		}
	})
	o := open(t, plan(t, url), 200, 2*time.Second)
	o.Connections = 4
	r := run(t, o)
	truth := stallTruth(400, 200, every, still, begin.Sub(r.StartedAt), 0.9)
	if math.Abs(r.Response.P90-truth) > 0.1*truth+0.01+r.Lag.P99 {
		t.Errorf("p90 is %v, the truth %v, the lag %+v", r.Response.P90, truth, r.Lag)
	}
	if r.Service.P90 > r.Response.P90 || r.Service.P50 > 0.1 {
		t.Errorf("service %+v, response %+v", r.Service, r.Response)
	}
}

// stallTruth is the q-quantile of the response times of n requests at a rate
// when the target, which begins late, stands still at the end of every period.
func stallTruth(n int, rate float64, every, still, late time.Duration, q float64) float64 {
	var times []float64
	for i := range n {
		into := max(0, time.Duration(float64(i)/rate*1e9)-late) % every
		wait := 0.0
		if into > every-still {
			wait = (every - into).Seconds()
		}
		times = append(times, wait)
	}
	slices.Sort(times)
	return times[int(math.Ceil(q*float64(n)))-1]
}

func TestFailuresByKind(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			w.WriteHeader(404)
		case "/wrong":
			fmt.Fprint(w, "something else")
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		case "/hangup":
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
		case "/created":
			w.WriteHeader(201)
		}
	})
	o := plan(t, url,
		load.Request{Path: "/missing"}, load.Request{Path: "/wrong", Expect: load.Expect{Contains: "right"}},
		load.Request{Path: "/slow"}, load.Request{Path: "/hangup", Method: "POST"},
		load.Request{Path: "/created", Expect: load.Expect{Status: 201}}, load.Request{Path: "/fine", Expect: load.Expect{Status: 204}})
	o.Timeout = 300 * time.Millisecond
	r := run(t, open(t, o, 60, 100*time.Millisecond))
	want := map[load.Kind]int64{load.KindStatus: 2, load.KindCheck: 1, load.KindTimeout: 1, load.KindClosed: 1}
	if fmt.Sprint(r.ErrorKinds) != fmt.Sprint(want) || r.Requests != 6 || r.Errors != 5 {
		t.Errorf("%d of %d failed: %v, want %v", r.Errors, r.Requests, r.ErrorKinds, want)
	}
	if r.Response.Max < 0.29 || r.Response.Max > 2 {
		t.Errorf("the longest response is %v; the timeout of 0.3 s counts as waited", r.Response.Max)
	}
}

// TestNotSent: what was due and never sent is an error and counts with the
// time that it waited.
func TestNotSent(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	})
	o := plan(t, url)
	o.Connections, o.Timeout = 1, 400*time.Millisecond
	r := run(t, open(t, o, 50, 500*time.Millisecond))
	if r.Requests != 25 || r.Errors != 25 || r.ErrorKinds[load.KindNotSent] < 20 {
		t.Errorf("%d requests, %d errors: %v; want 25, most of them not sent", r.Requests, r.Errors, r.ErrorKinds)
	}
	if r.Response.P50 < 0.4 {
		t.Errorf("p50 is %v, though nothing was answered in over 0.4 s", r.Response.P50)
	}
}

func TestTargetThatGoesDown(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	time.AfterFunc(300*time.Millisecond, s.Close)
	begun := time.Now()
	r := run(t, open(t, plan(t, s.URL), 100, 30*time.Second))
	if !strings.HasPrefix(r.Stopped, "the target is down") || time.Since(begun) > 10*time.Second {
		t.Errorf("stopped %q after %v", r.Stopped, time.Since(begun))
	}
	if _, err := load.Run(context.Background(), open(t, plan(t, s.URL), 100, time.Second)); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a target that is down from the start gives %v", err)
	}
}

func TestStopsWhenHopeless(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	o := open(t, plan(t, url), 100, 20*time.Second)
	o.Thresholds = []load.Threshold{must[load.Threshold](t)(load.ParseThreshold("errors<1%"))}
	begun := time.Now()
	r := run(t, o)
	if r.Passed() || r.Stopped != "errors<1% cannot be met any more" || time.Since(begun) > 8*time.Second {
		t.Errorf("stopped %q after %v, verdicts %v", r.Stopped, time.Since(begun), r.Verdicts)
	}
}

func TestInterrupt(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(30 * time.Millisecond) })
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	r := must[*load.Result](t)(load.Run(ctx, open(t, plan(t, url), 100, time.Minute)))
	if r.Stopped != "interrupted" || r.Errors != 0 || r.Requests == 0 || r.Requests > 60 {
		t.Errorf("stopped %q with %d requests and %d errors: %v", r.Stopped, r.Requests, r.Errors, r.ErrorKinds)
	}
}

func TestWarmupIsNotCounted(t *testing.T) {
	var served atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1) <= 20 {
			w.WriteHeader(500)
		}
	})
	o := open(t, plan(t, url), 100, 600*time.Millisecond)
	o.Warmup = 300 * time.Millisecond
	r := run(t, o)
	if r.Requests != 30 || r.Errors != 0 || served.Load() != 60 {
		t.Errorf("%d requests counted, %d errors, %d served; want 30, 0, 60", r.Requests, r.Errors, served.Load())
	}
}

// speaking starts a server that speaks HTTP/1.1 or only HTTP/2, and gives it as a
// target that trusts it.
func speaking(t *testing.T, s *httptest.Server, http2, secure bool) *load.Target {
	t.Helper()
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(!http2)
	s.Config.Protocols.SetHTTP2(http2 && secure)
	s.Config.Protocols.SetUnencryptedHTTP2(http2 && !secure)
	s.EnableHTTP2 = http2
	start := s.Start
	if secure {
		start = s.StartTLS
	}
	start()
	t.Cleanup(s.Close)
	target := must[*load.Target](t)(load.ParseTarget(context.Background(), s.URL))
	if secure {
		target.TLS.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}
	return target
}

// TestProtocols: the same requests over TLS, HTTP/2 with and without it, and
// with a new connection for each.
func TestProtocols(t *testing.T) {
	for _, c := range []struct {
		name          string
		secure, http2 bool
		closeEach     bool
	}{{"TLS", true, false, false}, {"HTTP/2 over TLS", true, true, false}, {"HTTP/2", false, true, false}, {"new connections", false, false, true},
		{"HTTP/2, new connections", false, true, true}, {"HTTP/2 over TLS, new connections", true, true, true}, {"TLS, new connections", true, false, true}} {
		t.Run(c.name, func(t *testing.T) {
			var protocol atomic.Value
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				protocol.Store(r.Proto)
				fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("X-Key"), body)
			}))
			target := speaking(t, s, c.http2, c.secure)
			mix := must[*load.Mix](t)(load.NewMix(target, []load.Request{{Method: "POST", Path: "/", Body: "{}", Header: []load.Field{{Name: "X-Key", Value: "k"}, {Name: "Host", Value: "shop"}},
				Expect: load.Expect{Contains: "POST shop k {}"}}}, nil, !c.closeEach, 1))
			o := load.Options{Target: target, Mix: mix, Connections: 4, Timeout: 5 * time.Second, HTTP2: c.http2, CloseEach: c.closeEach}
			r := run(t, open(t, o, 100, 300*time.Millisecond))
			want := "HTTP/1.1"
			if c.http2 {
				want = "HTTP/2.0"
			}
			if r.Errors != 0 || r.Requests != 30 || protocol.Load() != want {
				t.Errorf("%d of %d failed (%v), protocol %v", r.Errors, r.Requests, r.ErrorKinds, protocol.Load())
			}
			if c.closeEach && r.Connections != 30 || !c.closeEach && (r.Connections < 1 || r.Connections > 4) {
				t.Errorf("%d connections for 30 requests", r.Connections)
			}
		})
	}
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	if _, err := load.Run(context.Background(), open(t, plan(t, s.URL), 10, time.Second)); err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "--ca FILE gives") {
		t.Errorf("got %v", err)
	}
}

// raw answers every request on every connection with the same bytes.
func raw(t *testing.T, answer string, closes bool) string {
	t.Helper()
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if _, err := io.WriteString(c, answer); err != nil || closes {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); all.Wait() })
	return "http://" + ln.Addr().String()
}

// TestAnswers: answers as servers send them, right ones and broken ones.
func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		answer string
		closes bool
		method string
		want   load.Kind
		status string
	}{
		"length":                 {answer: ok + "Content-Length: 5\r\n\r\nright"},
		"no body":                {answer: ok + "content-length:0\r\n\r\n", status: "200"},
		"chunks":                 {answer: ok + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nri\r\n3\r\nght\r\n0\r\nT: 1\r\n\r\n"},
		"to the end":             {answer: ok + "\r\nright", closes: true},
		"HTTP/1.0":               {answer: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nright", closes: true},
		"without a reason":       {answer: "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nright"},
		"interim":                {answer: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nright"},
		"closes without a word":  {answer: ok + "Content-Length: 5\r\n\r\nright", closes: true},
		"closes and says so":     {answer: ok + "Connection: close\r\nContent-Length: 5\r\n\r\nright", closes: true},
		"not modified":           {answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", status: "304"},
		"head":                   {answer: ok + "Content-Length: 500\r\n\r\n", method: "HEAD", status: "200"},
		"same length twice":      {answer: ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nright"},
		"large":                  {answer: ok + "Content-Length: 300005\r\n\r\nright" + strings.Repeat("x", 300000)},
		"two lengths":            {answer: ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nright", want: load.KindProtocol},
		"negative length":        {answer: ok + "Content-Length: -5\r\n\r\n", want: load.KindProtocol},
		"endless length":         {answer: ok + "Content-Length: 99999999999999999\r\n\r\n", want: load.KindTooLarge},
		"other encoding":         {answer: ok + "Transfer-Encoding: gzip\r\n\r\n", want: load.KindProtocol},
		"bad chunk":              {answer: ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", want: load.KindProtocol},
		"huge chunk":             {answer: ok + "Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", want: load.KindTooLarge},
		"chunk without end":      {answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", want: load.KindProtocol},
		"not HTTP":               {answer: "SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n", want: load.KindProtocol},
		"greets and closes":      {answer: "SSH-2.0-x", closes: true, want: load.KindProtocol},
		"greets and waits":       {answer: "SSH-2.0-x\r\n", want: load.KindProtocol},
		"status that is none":    {answer: "HTTP/1.1 9x9 OK\r\n\r\n", want: load.KindProtocol},
		"field without a colon":  {answer: ok + "Content-Length 5\r\n\r\n", want: load.KindProtocol},
		"endless head":           {answer: ok + "X: " + strings.Repeat("y", 100<<10) + "\r\n\r\n", want: load.KindTooLarge},
		"only interim":           {answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), want: load.KindProtocol},
		"two answers":            {answer: ok + "Content-Length: 0\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n", want: load.KindProtocol},
		"ends in the head":       {answer: ok + "Content-Le", closes: true, want: load.KindClosed},
		"ends in the body":       {answer: ok + "Content-Length: 50\r\n\r\nright", closes: true, want: load.KindClosed},
		"ends in a chunk":        {answer: ok + "Transfer-Encoding: chunked\r\n\r\n50\r\nright", closes: true, want: load.KindClosed},
		"ends before the answer": {closes: true, want: load.KindClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect := load.Expect{Contains: "right"}
			if c.status != "" {
				expect = load.Expect{}
			}
			r := load.Request{Path: "/", Method: c.method, Expect: expect}
			o := plan(t, raw(t, c.answer, c.closes), r)
			o.Connections = 1
			result := run(t, open(t, o, 100, 30*time.Millisecond))
			status := c.status
			if status == "" {
				status = "200"
			}
			if c.want == load.KindNone && (result.Errors != 0 || result.Statuses[status] != 3) ||
				c.want != load.KindNone && result.ErrorKinds[c.want] != 3 {
				t.Errorf("errors %v, statuses %v, want %q", result.ErrorKinds, result.Statuses, c.want)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	o := plan(t, "http://127.0.0.1:1/")
	for want, change := range map[string]func(*load.Options){
		"either a rate or clients": func(o *load.Options) { o.Clients = 1 },
		"connections or clients":   func(o *load.Options) { o.Connections = 0 },
		"the timeout is 0s":        func(o *load.Options) { o.Timeout = 0 },
		"leaves nothing of 1s":     func(o *load.Options) { o.Warmup = time.Second },
	} {
		broken := open(t, o, 1, time.Second)
		change(&broken)
		if _, err := load.Run(context.Background(), broken); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

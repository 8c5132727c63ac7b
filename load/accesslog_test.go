package load_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// gatewayLine is a line as the gateway writes it.
func gatewayLine(ms int, method, path, service string, status int, more string) string {
	return fmt.Sprintf(`{"time":"2026-11-22T10:00:%02d.%03d000Z","id":"x","method":%q,"host":"h","path":%q,"status":%d,"bytes":2,"ms":1.5,"service":%q%s}`+"\n",
		ms/1000, ms%1000, method, path, status, service, more)
}

func TestReplayOfALog(t *testing.T) {
	// The order is that of the answers' ends: the first request came last but one.
	log := gatewayLine(200, "GET", "/b c", "dev/web", 200, "") +
		gatewayLine(0, "GET", "/a", "dev/web", 200, "") +
		gatewayLine(100, "GET", "/a", "dev/web", 404, "") +
		gatewayLine(300, "GET", "/other", "dev/api", 200, "") +
		gatewayLine(400, "GET", "/a", "dev/web", 304, "") +
		gatewayLine(500, "GET", "/ws", "dev/web", 101, "") +
		gatewayLine(600, "GET", "/a", "dev/web", 503, `,"aborted":true`) +
		gatewayLine(700, "GET", "/{{x}}%", "dev/web", 302, "") +
		gatewayLine(800, "GET", "/nobody", "", 404, "") +
		gatewayLine(900, "PUT", "/a", "dev/web", 204, "")
	l := must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader(log), "web"))
	r := must[*load.Replayed](t)(l.Replay(load.ReplayOptions{Header: []load.Field{{Name: "X", Value: "1"}}}))
	var got []string
	for i, at := range r.Order {
		q := r.Requests[at]
		got = append(got, fmt.Sprintf("%v %s %s %d", r.Times[i], q.Method, q.Path, q.Expect.Class))
	}
	want := []string{"-200ms GET /a 2", "-100ms GET /a 4", "0s GET /b%20c 2", "200ms GET /a 0", "400ms GET /a 0", "500ms GET /%7B%7Bx%7D%7D%25 3"}
	if !reflect.DeepEqual(got, want) || len(r.Requests) != 5 {
		t.Errorf("%d different requests, replayed\n%s\nwant\n%s", len(r.Requests), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(r.Notes) != 2 || r.Notes[0] != "6 of 10 requests of the log are replayed; left out: 1 PUT, which may change something (--replay-unsafe sends them), "+
		"1 that changed the protocol or ask for a tunnel or a trace, 2 to other services, or none" {
		t.Errorf("notes %q", r.Notes)
	}
	if _, err := load.ReadAccessLog(strings.NewReader(log), "nobody"); err == nil || !strings.Contains(err.Error(), "none of its 10 requests went to nobody") {
		t.Errorf("a service without requests: %v", err)
	}
	post := must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader(gatewayLine(0, "POST", "/", "dev/web", 200, "")), ""))
	if _, err := post.Replay(load.ReplayOptions{Unsafe: true}); err == nil || !strings.Contains(err.Error(), "nothing of it can be replayed: 1 POST without a body to send") {
		t.Errorf("only bodies: %v", err)
	}
}

// TestReplayOfOtherLogs: those of web servers have queries; where a line says
// too little, there are only times.
func TestReplayOfOtherLogs(t *testing.T) {
	l := must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader(`1.2.3.4 - - [10/Oct/2026:13:55:36 -0700] "GET /a?q=1 HTTP/1.0" 200 2
1.2.3.4 - - [10/Oct/2026:13:55:36 -0700] "GET http://elsewhere/ HTTP/1.1" 400 2 "-" "curl"
1.2.3.4 - - [10/Oct/2026:13:55:37 -0700] "-" 400 0
`), "web"))
	r := must[*load.Replayed](t)(l.Replay(load.ReplayOptions{}))
	if len(r.Order) != 1 || r.Requests[0].Path != "/a?q=1" || r.Requests[0].Expect.Class != 2 || r.Notes[1] != "the log holds no headers and bodies, so none of the recorded ones are sent" ||
		r.Notes[0] != "1 of 3 requests of the log are replayed; left out: 1 whose line has no method and path, 1 whose target is no path" {
		t.Errorf("%+v", r)
	}
	for name, log := range map[string]string{
		"times": "1\n2\n", "no path": `{"time":"2026-11-22T10:00:00Z","method":"GET"}`, "strange": `{"time":"2026-11-22T10:00:00Z","method":{},"path":[5],"status":null}`,
	} {
		l, err := load.ReadAccessLog(strings.NewReader(log), "")
		if err != nil || l.HasRequests() || len(l.Times()) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	l = must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader(`{"time":"2026-11-22T10:00:00Z","method":"GET","path":"/","status":"404"}`), ""))
	if r := must[*load.Replayed](t)(l.Replay(load.ReplayOptions{})); r.Requests[0].Expect.Class != 4 {
		t.Errorf("a status that is text: %+v", r.Requests)
	}
}

// TestReplayIsSentInOrder: each request of a log at its own time.
func TestReplayIsSentInOrder(t *testing.T) {
	log := ""
	for i := range 30 {
		log += gatewayLine(10*i, "GET", fmt.Sprintf("/%d", i%7*i%5), "dev/web", 200, "")
	}
	l := must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader(log), ""))
	again := must[*load.Replayed](t)(l.Replay(load.ReplayOptions{}))
	s := &seen{}
	o := plan(t, serve(t, s.ServeHTTP), again.Requests...)
	o.Connections = 1
	if err := o.Mix.InOrder(again.Order); err != nil {
		t.Fatal(err)
	}
	o.Arrivals = must[*load.Arrivals](t)(load.Replay(again.Times, 2))
	r := run(t, o)
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("GET /%d ||", i%7*i%5))
	}
	if got := s.all; r.Errors != 0 || !reflect.DeepEqual(got, want) || o.Arrivals.Length().Round(time.Millisecond) != 145*time.Millisecond {
		t.Errorf("in %v it saw %v, want %v", o.Arrivals.Length(), got, want)
	}
	for _, wrong := range [][]int32{nil, {-1}, {int32(len(again.Requests))}} {
		if o.Mix.InOrder(wrong) == nil {
			t.Errorf("the order %v is taken", wrong)
		}
	}
}

func FuzzReadAccessLog(f *testing.F) {
	f.Add(gatewayLine(0, "GET", "/a", "dev/web", 200, ""))
	f.Add(`1.2.3.4 - - [10/Oct/2026:13:55:36 -0700] "GET /a?q={{x}} HTTP/1.0" 200 2`)
	f.Add(`{"time":"2026-11-22T10:00:00Z","method":"G T","path":"/\u0000 ","status":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := load.ReadAccessLog(strings.NewReader(text), "web")
		if err != nil {
			return
		}
		r, err := l.Replay(load.ReplayOptions{Unsafe: true, Body: "x"})
		if err != nil {
			return
		}
		if len(r.Times) != len(r.Order) || len(r.Requests) > len(r.Order) {
			t.Errorf("%d times, %d in order, %d requests", len(r.Times), len(r.Order), len(r.Requests))
		}
		target := must[*load.Target](t)(load.ParseTarget(t.Context(), "http://127.0.0.1:1"))
		if _, err := load.NewMix(target, r.Requests, nil, true, 1); err != nil {
			t.Errorf("what was read cannot be sent: %v", err)
		}
	})
}

// TestReplayOfABrokenLog: a line that was cut, or written by something else, is
// counted and left out.
func TestReplayOfABrokenLog(t *testing.T) {
	log := "#Fields: time\n" + gatewayLine(0, "GET", "/a", "dev/web", 200, "") + gatewayLine(100, "GET", "/b", "dev/web", 200, "") + `{"time":"2026-11-22T10:00` + "\n" +
		gatewayLine(200, "GET", "/c", "dev/web", 200, "")
	l := must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader(log), "web"))
	r := must[*load.Replayed](t)(l.Replay(load.ReplayOptions{}))
	want := `2 lines of the log could not be read and are left out; the first is line 1: "#Fields: time" holds no time`
	if len(r.Order) != 3 || len(l.Times()) != 3 || !strings.HasPrefix(l.Unreadable(), want) || !strings.HasPrefix(r.Notes[0], want) {
		t.Errorf("%d requests, %q, notes %q", len(r.Order), l.Unreadable(), r.Notes)
	}
	if l := must[*load.AccessLog](t)(load.ReadAccessLog(strings.NewReader("1\n"), "")); l.Unreadable() != "" {
		t.Errorf("of a good log: %q", l.Unreadable())
	}
}

package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
)

// sseStream is a stream as a browser reads it.
type sseStream struct {
	status int
	header http.Header
	lines  *bufio.Reader
	close  func()
}

type sseEvent struct{ name, id, data string }

func openStream(t *testing.T, address, path string, header ...string) *sseStream {
	t.Helper()
	client, base := httpClient(t, address)
	client.Timeout = 0
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &sseStream{resp.StatusCode, resp.Header, bufio.NewReader(resp.Body), cancel}
}

// rest is what comes until the end.
func (s *sseStream) rest(t *testing.T) string {
	t.Helper()
	text, err := io.ReadAll(s.lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// read is the next event; the error is io.EOF at the end.
func (s *sseStream) read() (sseEvent, error) {
	var e sseEvent
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, nil
			}
		}
	}
}

func (s *sseStream) next(t *testing.T) sseEvent {
	t.Helper()
	e, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// until is the next event of a name.
func (s *sseStream) until(t *testing.T, name string) sseEvent {
	t.Helper()
	for {
		if e := s.next(t); e.name == name {
			return e
		}
	}
}

func TestStream(t *testing.T) {
	f := start(t)
	f.record(t, 2)
	s := openStream(t, f.Address, "/api/v1/stream")
	if got := s.header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	first := s.next(t)
	if first.name != "status" || first.id != "2" || !strings.Contains(first.data, `"revision":0,`) {
		t.Errorf("the stream begins with %+v", first)
	}
	if e := s.until(t, "samples"); !strings.HasPrefix(e.data, `{"dev/iris":{"at":`) {
		t.Errorf("samples %+v", e)
	}
	f.record(t, 1)
	if e := s.until(t, "event"); e.id != "3" || !strings.Contains(e.data, `"kind":"scaled"`) {
		t.Errorf("event %+v", e)
	}
	f.plane.Change()
	if e := s.until(t, "status"); !strings.Contains(e.data, `"revision":1,`) || e.id != "" {
		t.Errorf("after a change: %+v", e)
	}
}

// TestStreamCoalesces makes a thousand changes in a second.
func TestStreamCoalesces(t *testing.T) {
	f := start(t)
	s := openStream(t, f.Address, "/api/v1/stream?only=status")
	s.next(t)
	began := time.Now()
	for range 1000 {
		f.plane.Change()
		time.Sleep(time.Millisecond)
	}
	got := 0
	for {
		e := s.next(t)
		got++
		if strings.Contains(e.data, `"revision":1000,`) {
			break
		}
	}
	if most := int(time.Since(began).Seconds()) + 1; got > most {
		t.Errorf("%d statuses in %s, want one a second at most", got, time.Since(began))
	}
}

func TestStreamResumes(t *testing.T) {
	f := start(t)
	f.record(t, 5)
	s := openStream(t, f.Address, "/api/v1/stream?only=event", "Last-Event-ID", "2")
	for _, want := range []string{"2", "3", "4", "5"} {
		if e := s.next(t); e.id != want {
			t.Fatalf("%+v, want id %s", e, want)
		}
	}
	if s := openStream(t, f.Address, "/api/v1/stream", "Last-Event-ID", "9223372036854775808"); s.status != 400 {
		t.Errorf("an id beyond all is answered %d", s.status)
	}
}

// TestSlowReader: who does not read gets the newest status later, and keeps
// nobody waiting.
func TestSlowReader(t *testing.T) {
	f := start(t)
	f.plane.Note = strings.Repeat("x", 8<<20) // fills the socket's buffers
	slow := openStream(t, f.Address, "/api/v1/stream?only=status")
	quick := openStream(t, f.Address, "/api/v1/stream?only=event")
	quick.next(t)
	deadline := time.Now().Add(15 * time.Second)
	stuck := func() bool { // no status was asked for since the last change
		before := len(f.plane.Calls())
		f.plane.Change()
		time.Sleep(1200 * time.Millisecond)
		return len(f.plane.Calls()) == before
	}
	for !stuck() {
		if time.Now().After(deadline) {
			t.Fatal("a client that does not read is still written to")
		}
	}
	f.record(t, 1)
	if e := quick.next(t); e.name != "event" {
		t.Errorf("the quick one got %+v", e)
	}
	f.plane.Change()
	last := f.plane.Revision()
	for n := 0; ; n++ {
		e := slow.next(t)
		if strings.Contains(e.data, fmt.Sprintf(`"revision":%d,`, last)) {
			break
		}
		if n > 3 {
			t.Fatal("the slow one gets all that was, not the newest")
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	f := start(t)
	var last *sseStream
	for range 256 {
		if last = openStream(t, f.Socket, "/api/v1/stream?only=event"); last.status != 200 {
			t.Fatalf("answered %d", last.status)
		}
	}
	full := openStream(t, f.Socket, "/api/v1/stream")
	if text := full.rest(t); full.status != 503 || !strings.Contains(text, "256 streams open") {
		t.Errorf("the 257th is answered %d %s", full.status, text)
	}
	last.close()
	for range 100 {
		if s := openStream(t, f.Socket, "/api/v1/stream"); s.status == 200 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the place of a stream that ended is not given away")
}

// TestStreamsEndWithTheServer also holds that their place is given back.
func TestStreamsEndWithTheServer(t *testing.T) {
	done := make(chan struct{})
	f := start(t, func(o *api.Options) { o.Done = done })
	f.record(t, 1)
	stream := openStream(t, f.Address, "/api/v1/stream")
	stream.next(t)
	logs := openStream(t, f.Address, iris+"/logs?follow=true")
	close(done)
	for {
		if _, err := stream.read(); err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
	}
	if rest := logs.rest(t); strings.Contains(rest, "event: end") {
		t.Error("the logs say that there is no more")
	}
}

func TestEventsFail(t *testing.T) {
	f := start(t)
	s := openStream(t, f.Address, "/api/v1/stream")
	s.next(t)
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if e := s.until(t, "failure"); !strings.Contains(e.data, `"code":"unavailable"`) {
		t.Errorf("%+v", e)
	}
	if _, err := s.read(); err != io.EOF {
		t.Errorf("then %v", err)
	}
}

func TestLogs(t *testing.T) {
	f := start(t)
	f.plane.Lines = []control.LogLine{{Replica: "r1", Text: "a\r\nb"}, {Replica: "r1", Text: "data: x"}, {Replica: "r2", Text: ""}}
	s := openStream(t, f.Address, iris+"/logs?follow=true&tail=0")
	for _, want := range []string{`{"replica":"r1","text":"a\r\nb"}`, `{"replica":"r1","text":"data: x"}`, `{"replica":"r2","text":""}`} {
		if e := s.next(t); e.name != "line" || e.data != want {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	if calls := f.plane.Calls(); calls[0] != "Logs dev iris {Replica: Tail:0 Follow:true}" {
		t.Errorf("the plane was asked %q", calls)
	}
}

func TestLogsFail(t *testing.T) {
	f := start(t)
	f.plane.Lines = []control.LogLine{{Replica: "r1", Text: "before"}}
	f.plane.Fail = greenlight.Errorf(greenlight.CodeUnavailable, "the file is gone")
	broken := openStream(t, f.Address, iris+"/logs")
	text := broken.rest(t)
	if want := "event: failure\ndata: {\"error\":{\"code\":\"unavailable\",\"message\":\"the file is gone\"}}\n\n"; !strings.HasSuffix(text, want) {
		t.Errorf("ends with %q", text)
	}
}

// TestStreamOfLoadTests: those that run come first at once, then whenever one
// has reported, but not more often than anybody looks.
func TestStreamOfLoadTests(t *testing.T) {
	f := start(t)
	s := openStream(t, f.Address, "/api/v1/stream?only=load")
	if e := s.next(t); e.name != "open" {
		t.Errorf("the stream begins with %+v", e)
	}
	if e := s.next(t); e.name != "load" || !strings.HasPrefix(e.data, `[{"id":"20260102-030400000-9a4b7d",`) || !strings.Contains(e.data, `"requests":0,`) {
		t.Errorf("then %+v", e)
	}
	began := time.Now()
	for range 100 {
		f.plane.Change()
		time.Sleep(5 * time.Millisecond)
	}
	got := 0
	for e := s.next(t); ; e = s.next(t) {
		if got++; strings.Contains(e.data, `"requests":100,`) {
			break
		}
	}
	if most := int(time.Since(began)/(250*time.Millisecond)) + 1; got > most {
		t.Errorf("%d lists in %s, want four a second at most", got, time.Since(began))
	}
}

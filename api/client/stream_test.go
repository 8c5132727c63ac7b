package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

func TestStream(t *testing.T) {
	f := start(t)
	f.record(t, "old")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []string
	err := open(t, f.Address, "").Stream(ctx, 0, client.Watcher{
		Status: func(s control.Status) error {
			if seen = append(seen, fmt.Sprint("status ", s.Environments[0].Revision)); len(seen) == 1 {
				f.record(t, "new")
			} else {
				cancel()
			}
			return nil
		},
		Event: func(e greenlight.Event) error { seen = append(seen, "event "+e.Kind); f.plane.Change(); return nil },
		Samples: func(s map[string]observe.Sample) error {
			if s["dev/iris"].Rate != 12.5 {
				t.Errorf("samples %v", s)
			}
			return nil
		},
	})
	if want := []string{"status 0", "event new", "status 1"}; err != nil || !slices.Equal(seen, want) {
		t.Errorf("%v %v, want %v", err, seen, want)
	}
}

// script is a server that answers each connection with the next text, and
// notes what was asked.
type script struct {
	*httptest.Server
	asked []string // Last-Event-ID and query
}

func play(t *testing.T, texts ...string) *script {
	t.Helper()
	s := &script{}
	var n atomic.Int32
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.Header.Get("Last-Event-ID")+" "+r.URL.RawQuery)
		i := int(n.Add(1)) - 1
		if i >= len(texts) {
			t.Errorf("connection %d was not expected", i)
			return
		}
		if status, ok := strings.CutPrefix(texts[i], "status "); ok {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(503)
			_, _ = fmt.Fprintf(w, `{"error":{"code":%q,"message":"not now"}}`, status)
			return
		}
		_, _ = w.Write([]byte(texts[i]))
	}))
	t.Cleanup(s.Close)
	return s
}

func event(id int) string { return fmt.Sprintf("id: %d\nevent: event\ndata: {\"id\":%d}\n\n", id, id) }

// TestReconnect breaks the stream in every way.
func TestReconnect(t *testing.T) {
	s := play(t,
		event(4)+"id: 5\nevent: event\ndata: {\"id\"", // cut off in the middle
		"status unavailable",
		event(5)+"event: failure\ndata: {\"error\":{\"code\":\"internal\",\"message\":\"read error\"}}\n\n",
		": nothing\n\n",
		event(6)+event(7),
	)
	var got []int64
	var lost []string
	err := open(t, s.URL, "").Stream(t.Context(), 3, client.Watcher{
		Event: func(e greenlight.Event) error {
			if got = append(got, e.ID); e.ID == 7 {
				return errEnough
			}
			return nil
		},
		Lost: func(err error) { lost = append(lost, err.Error()) },
	})
	if err != errEnough || !slices.Equal(got, []int64{4, 5, 6, 7}) {
		t.Errorf("%v %v", err, got)
	}
	if want := []string{"3 only=event", "4 only=event", "4 only=event", "5 only=event", "5 only=event"}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
	if len(lost) != 4 || !strings.Contains(lost[0], "broke off") || lost[1] != "not now" || lost[2] != "read error" {
		t.Errorf("lost %q", lost)
	}
}

func TestNoReconnect(t *testing.T) {
	never := func(err error) { t.Errorf("lost: %v", err) }
	all := func(greenlight.Event) error { return nil }
	for name, do := range map[string]func(*client.Client) error{
		"without Lost": func(c *client.Client) error { return c.Stream(t.Context(), 1, client.Watcher{Event: all}) },
		"once": func(c *client.Client) error {
			return c.Once().Stream(t.Context(), 1, client.Watcher{Event: all, Lost: never})
		},
		"logs": func(c *client.Client) error {
			return c.Logs(t.Context(), "dev", "iris", control.LogQuery{}, func(control.LogLine) error { return nil })
		},
		"logs once": func(c *client.Client) error {
			return c.Once().Logs(t.Context(), "dev", "iris", control.LogQuery{Follow: true}, func(control.LogLine) error { return nil })
		},
	} {
		err := do(open(t, play(t, event(2)).URL, ""))
		if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "broke off") {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := open(t, play(t, "status not_found").URL, "").Stream(t.Context(), 1, client.Watcher{Event: all, Lost: never})
	if greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("what is not there is asked for again: %v", err)
	}
}

func lines(replica string, texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&b, "event: line\ndata: {\"replica\":%q,\"text\":%q}\n\n", replica, text)
	}
	return b.String()
}

const end = "event: end\ndata: {}\n\n"

// TestLogsAcrossABreak: no line twice, none missing.
func TestLogsAcrossABreak(t *testing.T) {
	s := play(t,
		lines("r1", "start", "tick", "tick")+lines("r2", "b1"),
		lines("r1", "start", "tick", "tick", "tick", "new")+lines("r2", "b1")+lines("r3", "c1"),
		lines("r1", "tick", "new", "newer")+lines("r3", "rotated")+end,
	)
	got := make(map[string][]string)
	err := open(t, s.URL, "").Logs(t.Context(), "dev", "iris", control.LogQuery{Tail: 7, Follow: true}, func(l control.LogLine) error {
		got[l.Replica] = append(got[l.Replica], l.Text)
		return nil
	})
	want := map[string][]string{"r1": {"start", "tick", "tick", "tick", "new", "tick", "new", "newer"}, "r2": {"b1"}, "r3": {"c1", "rotated"}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\n%v\nwant\n%v", err, got, want)
	}
	if len(s.asked) != 3 || !strings.Contains(s.asked[0], "tail=7") || !strings.Contains(s.asked[1], "tail=1000") {
		t.Errorf("asked %q", s.asked)
	}
}

// TestLogsFailLate: an error for a line that was held back ends the stream.
func TestLogsFailLate(t *testing.T) {
	f := start(t)
	f.plane.Lines = []control.LogLine{{Replica: "r1", Text: "a"}}
	n := 0
	err := open(t, f.Address, "").Logs(t.Context(), "dev", "iris", control.LogQuery{Follow: true}, func(control.LogLine) error {
		n++
		return errEnough
	})
	if err != errEnough || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
	again := lines("r1", "b")
	broken := play(t, lines("r1", "a"), again, again, again, again, again)
	err = open(t, broken.URL, "").Logs(t.Context(), "dev", "iris", control.LogQuery{Follow: true}, func(l control.LogLine) error {
		if l.Text == "b" {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("%v", err)
	}
}

func TestFollowEventsFromNothing(t *testing.T) {
	f := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var later sync.WaitGroup
	defer later.Wait()
	later.Go(func() {
		time.Sleep(100 * time.Millisecond)
		f.record(t, "first")
	})
	err := open(t, f.Address, "").FollowEvents(ctx, store.EventQuery{}, func(e greenlight.Event) error {
		if e.ID != 1 {
			t.Errorf("begins with %d", e.ID)
		}
		cancel()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

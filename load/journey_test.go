package load_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

const journey = `{"path":"/login","method":"POST","body":"{\"user\":{{seq}}}","name":"log in","save":{"token":"data.0.token","n":"n"},
"then":[{"path":"/cart/{{n}}","headers":{"Authorization":"Bearer {{token}}"},"save":{"id":"id"}},
{"path":"/buy","body":"{\"id\":{{json id}},\"n\":{{json n}},\"user\":{{seq}}}","expect":{"contains":"bought"}}]}`

// shop hands out tokens and numbers, and takes only those back.
func shop(bought *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var given struct{ User, N, ID any }
		_ = json.Unmarshal(body, &given)
		switch {
		case r.URL.Path == "/login":
			fmt.Fprintf(w, `{"data":[{"token":"t-%v \"q\""}],"n":%v}`, given.User, given.User)
		case strings.HasPrefix(r.URL.Path, "/cart/"):
			n := strings.TrimPrefix(r.URL.Path, "/cart/")
			if r.Header.Get("Authorization") != `Bearer t-`+n+` "q"` {
				w.WriteHeader(401)
				return
			}
			fmt.Fprintf(w, `{"id":{"cart":%s}}`, n)
		case fmt.Sprint(given.ID) == fmt.Sprint(map[string]any{"cart": given.User}) && given.N == given.User:
			bought.Add(1)
			fmt.Fprint(w, "bought")
		default:
			w.WriteHeader(400)
		}
	}
}

// TestJourneys: steps follow each other in one client, with what the answers
// before them said; with HTTP/1.1 and HTTP/2.
func TestJourneys(t *testing.T) {
	requests := must[[]load.Request](t)(load.ReadRequests(strings.NewReader(strings.ReplaceAll(journey, "\n", ""))))
	for _, http2 := range []bool{false, true} {
		var bought atomic.Int64
		url := serveProtocol(t, shop(&bought), http2)
		o := plan(t, url, requests...)
		o.HTTP2 = http2
		r := run(t, open(t, o, 100, 200*time.Millisecond))
		if r.Requests != 60 || r.Errors != 0 || bought.Load() != 20 || r.Planned != 100 {
			t.Errorf("%d requests, %d errors %v, %d journeys to the end, statuses %v", r.Requests, r.Errors, r.ErrorKinds, bought.Load(), r.Statuses)
		}
		if len(r.Routes) != 3 || r.Routes[2].Name != "log in" {
			t.Errorf("routes %+v", r.Routes)
		}
	}
}

// serveProtocol serves HTTP/1.1, or HTTP/2 without TLS.
func serveProtocol(t *testing.T, h http.Handler, http2 bool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(!http2)
	s.Config.Protocols.SetUnencryptedHTTP2(http2)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// TestJourneyEndsWithAnError: what follows a wrong answer is not sent.
func TestJourneyEndsWithAnError(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"a":[1]}`) })
	for path, want := range map[string]load.Kind{"a.1": load.KindCheck, "b": load.KindCheck, "a.x": load.KindCheck, "a.0.c": load.KindCheck, "a.0": load.KindNone} {
		r := run(t, open(t, plan(t, url, load.Request{Path: "/", Save: map[string]string{"x": path}, Then: []load.Request{{Path: "/{{x}}"}}}), 100, 20*time.Millisecond))
		if want == load.KindNone && (r.Errors != 0 || r.Requests != 4) || want != load.KindNone && (r.ErrorKinds[want] != 2 || r.Requests != 2) {
			t.Errorf("%s: %d requests, %v", path, r.Requests, r.ErrorKinds)
		}
	}
}

func TestJourneysRefused(t *testing.T) {
	o := plan(t, "http://127.0.0.1:9/")
	for want, r := range map[string]load.Request{
		"step 2: path: {{later}}: no data is given":   {Then: []load.Request{{Path: "/{{later}}", Save: map[string]string{"later": "x"}}}},
		"step 2 has steps of its own":                 {Then: []load.Request{{Then: []load.Request{{}}}}},
		"want a name without spaces and a path like":  {Save: map[string]string{"a b": "c"}},
		"100 steps follow; at most 99":                {Then: make([]load.Request, 100)},
		`save: "" as "a"`:                             {Save: map[string]string{"a": ""}},
		`{{json later}}: no data is given; want seq,`: {Body: "{{json later}}"},
	} {
		if _, err := load.NewMix(o.Target, []load.Request{r}, nil, true, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

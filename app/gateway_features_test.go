package app_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// rules is what a description can say of routes, limits, headers and logs.
const rules = `
name: shop
gateway:
  trusted_proxies: [127.0.0.2]
  max_header: 16Ki
  access_log: 100%
services:
  web:
    RUN
    replicas: 2
    env: {VERSION: web}
    routes:
      - {path: /web}
      - {path: /hops}
      - {path: /status}
      - {path: /strip/me, strip: true}
      - {path: /read, methods: [GET, HEAD]}
      - {path: /small, limits: {body: 1Ki}}
      - {path: /slow, timeout: 200ms}
      - {path: /all, limits: {requests: 1/h, burst: 3}}
      - {path: /each, limits: {per_client: 1/h, per_client_burst: 2}}
      - {path: /pace, limits: {per_client: 2/m}}
  api:
    RUN
    env: {VERSION: api}
    routes: [{path: /api}, {path: /api/read, methods: [GET]}, {path: /api/read, methods: [PUT], strip: true}]
  host:
    RUN
    env: {VERSION: host}
    routes: [{host: shop.example}, {host: "*.shop.example", path: /any}]
  twice:
    RUN
    replicas: 2
    env: {FLAKY: FOLDER/twice, KEEP_ALIVE: off}
    routes: [{path: /twice, strip: true}]
  once:
    RUN
    replicas: 2
    retries: off
    env: {FLAKY: FOLDER/once, KEEP_ALIVE: off}
    routes: [{path: /once, strip: true}]
`

func TestFrontKeepsToTheRules(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.up(rules)
	for name, check := range map[string]func(*testing.T, *front, *http.Client){
		"routes": checkRoutes, "bodies": checkBodyBounds, "timeout": checkTimeout, "headers": checkHeaders,
		"trusted proxy": checkTrustedProxy, "client limits": checkClientLimits, "retries": checkRetries, "states": checkStates,
	} {
		t.Run(name, func(t *testing.T) { ways(t, func(t *testing.T, c *http.Client) { check(t, f, c) }) })
	}
	t.Run("route limit", f.checkRouteLimit)
	t.Run("header bound", f.checkHeaderBound)
	t.Run("metrics", f.checkMetrics)
	t.Run("access log", f.checkAccessLog)
}

func checkRoutes(t *testing.T, f *front, c *http.Client) {
	for _, r := range []struct {
		method, host, path string
		status             int
		version, uri       string
	}{
		{"GET", "", "/web", 200, "web", "/web"},
		{"GET", "", "/web/", 200, "web", "/web/"},
		{"DELETE", "", "/web/x?q=%20", 200, "web", "/web/x?q=%20"},
		{"GET", "", "/webs", 404, "", ""},
		{"GET", "", "/", 404, "", ""},
		{"GET", "", "/strip/me", 200, "web", "/"},
		{"GET", "", "/strip/me/a%2Fb?x=1", 200, "web", "/a%2Fb?x=1"},
		{"GET", "", "/strip/mean", 404, "", ""},
		{"GET", "", "/api/read/1", 200, "api", "/api/read/1"},
		{"PUT", "", "/api/read/1", 200, "api", "/1"},
		{"POST", "", "/api/read/1", 200, "api", "/api/read/1"}, // of the shorter route
		{"GET", "", "/read", 200, "web", "/read"},
		{"POST", "", "/read", 405, "", ""},
		{"GET", "shop.example", "/api", 200, "host", "/api"}, // a host counts more than a path
		{"GET", "SHOP.example:8080", "/", 200, "host", "/"},
		{"GET", "a.b.shop.example", "/any/x", 200, "host", "/any/x"},
		{"GET", "a.shop.example", "/other", 404, "", ""},
		{"GET", "a.shop.example", "/api", 200, "api", "/api"},
		{"GET", "ashop.example", "/any", 404, "", ""},
	} {
		what := r.method + " " + r.host + r.path
		req := request(t, r.method, f.url+r.path, "")
		if r.host != "" {
			req.Host = r.host
		}
		got := send(t, c, req)
		want(t, what, got.StatusCode, r.status)
		if got.StatusCode != 200 {
			want(t, what+": type", got.Header.Get("Content-Type"), "application/json")
			if !strings.Contains(got.body, `{"error":"no route for this`) {
				t.Errorf("%s: %q", what, got.body)
			}
			continue
		}
		e := got.echoed(t)
		want(t, what+": service", e.Version, r.version)
		want(t, what+": path", e.URI, r.uri)
	}
	want(t, "Allow", send(t, c, request(t, "POST", f.url+"/read", "")).Header.Get("Allow"), "GET, HEAD")
}

func checkBodyBounds(t *testing.T, f *front, c *http.Client) {
	for _, r := range []struct {
		size    int
		chunked bool
		status  int
	}{{1024, false, 200}, {1025, false, 413}, {1024, true, 200}, {1025, true, 413}, {200 << 10, true, 413}} {
		req := request(t, "POST", f.url+"/small", strings.Repeat("x", r.size))
		if r.chunked {
			req.ContentLength, req.Body = -1, io.NopCloser(strings.NewReader(strings.Repeat("x", r.size)))
		}
		want(t, fmt.Sprintf("%+v", r), send(t, c, req).StatusCode, r.status)
	}
}

func checkTimeout(t *testing.T, f *front, c *http.Client) {
	start := time.Now()
	got := get(t, c, f.url+"/slow")
	want(t, "a service that does not answer", got.StatusCode, 504)
	if took := time.Since(start); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("after %s", took)
	}
}

// endToEnd are headers that the program must see as they were sent.
var endToEnd = map[string]string{"Authorization": "Bearer a", "Cookie": "a=b; c=d", "X-Own": "ü", "Accept-Encoding": "br"}

func checkHeaders(t *testing.T, f *front, c *http.Client) {
	req := request(t, "POST", f.url+"/web", "body", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
		"Forwarded: for=9.9.9.9", "X-Real-Ip: 9.9.9.9", "Proxy-Authorization: Basic a", "Te: trailers")
	for name, value := range endToEnd {
		req.Header.Set(name, value)
	}
	got := send(t, c, req)
	e := got.echoed(t)
	for name, value := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": f.address, "X-Real-Ip": "127.0.0.1",
		"Forwarded": "", "Proxy-Authorization": "",
	} {
		want(t, name, strings.Join(e.Header[name], "|"), value)
	}
	for name, value := range endToEnd {
		want(t, name, strings.Join(e.Header[name], "|"), value)
	}
	want(t, "host", e.Host, f.address)
	want(t, "body", e.Body, "body")
	id := got.Header.Get("X-Request-Id")
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) || e.Header.Get("X-Request-Id") != id {
		t.Errorf("request id %q, the program sees %q", id, e.Header.Get("X-Request-Id"))
	}
	for given, kept := range map[string]bool{"mine-1": true, "with blank": false, strings.Repeat("x", 129): false} {
		got := get(t, c, f.url+"/web", "X-Request-Id: "+given)
		if id := got.Header.Get("X-Request-Id"); (id == given) != kept || got.echoed(t).Header.Get("X-Request-Id") != id {
			t.Errorf("request id %q became %q", given, id)
		}
	}
	got = get(t, c, f.url+"/hops")
	want(t, "status", got.StatusCode, http.StatusTeapot)
	for name, value := range map[string]string{"X-Inner": "", "Proxy-Authenticate": "", "Keep-Alive": "", "Set-Cookie": "a=b; Path=/", "X-Kept": "1"} {
		want(t, "answered "+name, got.Header.Get(name), value)
	}
	want(t, "a refusal has an id too", len(get(t, c, f.url+"/nowhere").Header.Get("X-Request-Id")), 32)
}

func checkTrustedProxy(t *testing.T, f *front, c *http.Client) {
	proxy := newClient(t, speaksHTTP2(c), "127.0.0.2")
	h := get(t, proxy, f.url+"/web", "X-Forwarded-For: 8.8.8.8, 10.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example").echoed(t).Header
	for name, value := range map[string]string{
		"X-Forwarded-For": "8.8.8.8, 10.9.9.9, 127.0.0.2", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "X-Real-Ip": "10.9.9.9",
	} {
		want(t, name, strings.Join(h[name], "|"), value)
	}
}

func speaksHTTP2(c *http.Client) bool {
	return c.Transport.(*http.Transport).Protocols.UnencryptedHTTP2()
}

func checkClientLimits(t *testing.T, f *front, c *http.Client) {
	stranger, network := "127.0.0.11", "10.1.0."
	if speaksHTTP2(c) {
		stranger, network = "127.0.0.12", "10.2.0."
	}
	unknown, proxy := newClient(t, speaksHTTP2(c), stranger), newClient(t, speaksHTTP2(c), "127.0.0.2")
	ask := func(what string, c *http.Client, forwarded string, status int) {
		t.Helper()
		got := get(t, c, f.url+"/each", "X-Forwarded-For: "+forwarded)
		want(t, what, got.StatusCode, status)
		seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
		if status == 429 && (err != nil || seconds < 3000 || seconds > 3600 || !strings.Contains(got.body, "too many requests")) {
			t.Errorf("%s: Retry-After %q, %q", what, got.Header.Get("Retry-After"), got.body)
		}
	}
	ask("a stranger", unknown, network+"1", 200)
	ask("who says to be another one", unknown, network+"2", 200)
	ask("and another", unknown, network+"3", 429)
	ask("a client of the proxy", proxy, network+"1", 200)
	ask("again", proxy, network+"1", 200)
	ask("too often", proxy, network+"1", 429)
	ask("too often, by way of two proxies", proxy, network+"1, 127.0.0.2", 429)
	ask("too often, with an address made up before", proxy, network+"9, "+network+"1", 429)
	ask("another client of the proxy", proxy, network+"2", 200)
	want(t, "without a burst, the first", get(t, unknown, f.url+"/pace").StatusCode, 200)
	second := get(t, unknown, f.url+"/pace")
	want(t, "without a burst, the second", second.StatusCode, 429)
	if after := second.Header.Get("Retry-After"); after != "30" && after != "29" {
		t.Errorf("Retry-After %s", after)
	}
}

func (f *front) checkRouteLimit(t *testing.T) {
	for i, status := range []int{200, 200, 200, 429} {
		got := get(t, newClient(t, i%2 == 0, fmt.Sprintf("127.0.1.%d", i+1)), f.url+"/all")
		want(t, fmt.Sprintf("request %d", i+1), got.StatusCode, status)
	}
}

func (f *front) checkHeaderBound(t *testing.T) {
	for size, status := range map[int]int{12 << 10: 200, 40 << 10: 431} {
		got := get(t, newClient(t, false, "127.0.0.1"), f.url+"/status?code=200", "X-Large: "+strings.Repeat("x", size))
		want(t, fmt.Sprint(size, " bytes"), got.StatusCode, status)
	}
	resp, err := newClient(t, true, "127.0.0.1").Do(request(t, "GET", f.url+"/status?code=200", "", "X-Large: "+strings.Repeat("x", 40<<10)))
	if err == nil {
		resp.Body.Close()
		want(t, "HTTP/2", resp.StatusCode, 431)
	}
	conn, err := net.Dial("tcp", f.address)
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /web/../api HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	want(t, "dot segments", got.StatusCode, 400)
}

func checkRetries(t *testing.T, f *front, c *http.Client) {
	key := "?key=" + strings.ReplaceAll(t.Name(), "/", "-")
	got := get(t, c, f.url+"/twice/flaky"+key)
	want(t, "GET, of which the first broke off", fmt.Sprint(got.StatusCode, " ", got.body), "200 2")
	want(t, "POST is not repeated", send(t, c, request(t, "POST", f.url+"/twice/flaky"+key+"post", "x")).StatusCode, 502)
	want(t, "came once until then", get(t, c, f.url+"/twice/flaky"+key+"post").body, "2")
	want(t, "GET where retries are off", get(t, c, f.url+"/once/flaky"+key).StatusCode, 502)
	want(t, "came once until then", get(t, c, f.url+"/once/flaky"+key).body, "2")
}

func checkStates(t *testing.T, f *front, c *http.Client) {
	must(t, f.gateway.Pause(t.Context(), "dev/api"))
	answer := make(chan reply, 1)
	req := request(t, "GET", f.url+"/api", "")
	go func() {
		resp, err := c.Do(req)
		if err != nil {
			t.Error(err)
			close(answer)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		answer <- reply{resp, string(body)}
	}()
	eventually(t, "one that waits", func() bool { return f.of("dev/api").Held == 1 })
	must(t, f.gateway.Resume(t.Context(), "dev/api"))
	want(t, "held, then answered", (<-answer).StatusCode, 200)
	must(t, f.gateway.Drain(t.Context(), "dev/api"))
	got := get(t, c, f.url+"/api")
	want(t, "drained", fmt.Sprint(got.StatusCode, got.Header.Get("Retry-After") != ""), "503 true")
	want(t, "others", get(t, c, f.url+"/web").StatusCode, 200)
	must(t, f.gateway.Resume(t.Context(), "dev/api"))
	want(t, "resumed", get(t, c, f.url+"/api").StatusCode, 200)
}

func (f *front) checkMetrics(t *testing.T) {
	get(t, newClient(t, false, "127.0.0.1"), f.url+"/status?code=503")
	release := f.of("dev/web").Releases[0].Name
	text := f.metrics()
	for _, series := range []string{
		`greenlight_gateway_requests_total{code="2xx",release="` + release + `",route="web /web",service="dev/web"} [1-9]`,
		`greenlight_gateway_requests_total{code="5xx",release="` + release + `",route="web /status",service="dev/web"} [1-9]`,
		`greenlight_gateway_requests_total{code="4xx",release="",route="web /each",service="dev/web"} [1-9]`,
		`greenlight_gateway_requests_total{code="2xx",release="[0-9a-f]+",route="api PUT /api/read",service="dev/api"} [1-9]`,
		`greenlight_gateway_requests_total{code="4xx",release="",route="",service=""} [1-9]`,
		`greenlight_gateway_request_seconds_count{release="` + release + `",service="dev/web"} [1-9]`,
		`greenlight_gateway_retries_total{outcome="sent",service="dev/twice"} [1-9]`,
		`greenlight_gateway_target_usable{release="` + release + `",service="dev/web",target="web-`,
	} {
		if !regexp.MustCompile(`(?m)^` + series).MatchString(text) {
			t.Errorf("no series %s", series)
		}
	}
	if strings.Contains(text, `retries_total{outcome="sent",service="dev/once"}`) {
		t.Error("a service with retries off was retried")
	}
}

// logLine is a line of the access log.
type logLine struct {
	ID, Client, Method, Host, Path, Proto, Route, Service, Release, Target string
	Status                                                                 int
	Bytes                                                                  int64
	MS                                                                     float64
}

func (f *front) logged(t *testing.T) (text string, lines []logLine) {
	t.Helper()
	data, err := os.ReadFile(f.path(".greenlight", "gateway-access.log"))
	must(t, err)
	text = string(data[:strings.LastIndexByte(string(data), '\n')+1])
	for line := range strings.Lines(text) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return text, lines
}

// line waits for the line of a request, as the log is written each second.
func (f *front) line(t *testing.T, id string) (found logLine) {
	t.Helper()
	eventually(t, "the line of "+id, func() bool {
		_, lines := f.logged(t)
		i := slices.IndexFunc(lines, func(l logLine) bool { return l.ID == id })
		if i >= 0 {
			found = lines[i]
		}
		return i >= 0
	})
	return found
}

func (f *front) checkAccessLog(t *testing.T) {
	c := newClient(t, false, "127.0.0.1")
	secret := []string{"Authorization: Bearer hunter2", "Cookie: session=hunter2", "X-Api-Key: hunter2"}
	for id, c := range map[string]*http.Client{"log-1": c, "log-2": newClient(t, true, "127.0.0.1")} {
		got := get(t, c, f.url+"/strip/me/x?token=hunter2", append(secret, "X-Request-Id: "+id)...)
		l := f.line(t, id)
		got.body = fmt.Sprint(l.Client, " ", l.Method, " ", l.Host, " ", l.Path, " ", l.Proto, " ", l.Status, " ", l.Route, " ", l.Service)
		want(t, "line", got.body, fmt.Sprint("127.0.0.1 GET ", f.address, " /strip/me/x ", got.Proto, " 200 web /strip/me dev/web"))
		if l.Release == "" || !strings.HasPrefix(l.Target, "web-") || l.Bytes == 0 || l.MS <= 0 {
			t.Errorf("%+v", l)
		}
	}
	f.up(strings.Replace(rules, "access_log: 100%", "access_log: 1%", 1))
	eventually(t, "the share is in force", func() bool {
		config, err := f.gateway.Config(t.Context())
		must(t, err)
		return *config.AccessLog.Sample == 0.01
	})
	_, before := f.logged(t)
	for i := range 320 {
		code := 200
		if i%16 == 0 {
			code = 503
		}
		want(t, "status", get(t, c, fmt.Sprint(f.url, "/status?code=", code), fmt.Sprint("X-Request-Id: many-", i)).StatusCode, code)
	}
	want(t, "the last", send(t, c, request(t, "GET", f.url+"/status?code=500", "", "X-Request-Id: last")).StatusCode, 500)
	f.line(t, "last")
	text, lines := f.logged(t)
	well, failed := 0, 0
	for _, l := range lines[len(before):] {
		if l.Status >= 500 {
			failed++
		} else {
			well++
		}
	}
	want(t, "lines of failures", failed, 21)
	if well > 40 {
		t.Errorf("%d of 300 requests are logged, where it should be 1%%", well)
	}
	log, err := os.ReadFile(f.path(".greenlight", "gateway.log"))
	must(t, err)
	if strings.Contains(text+string(log), "hunter2") {
		t.Error("a secret is in a log")
	}
	if _, err := gateway.LoadConfig(f.path(".greenlight", "gateway.json")); err != nil {
		t.Error(err)
	}
}

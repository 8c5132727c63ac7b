package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const simpleRequest = "POST /a%20b?c=d HTTP/1.1\r\nHost: shop.example:80\r\nUser-Agent: t\r\nContent-Length: 3\r\nCookie: a=1\r\nX-A:  b \r\nx-a: c\r\n\r\n"

func TestSimpleRequestHead(t *testing.T) {
	var h requestHead
	if !h.parse([]byte(simpleRequest)) {
		t.Fatal("not simple")
	}
	if h.method != "POST" || string(h.target) != "/a%20b?c=d" || string(h.path) != "/a%20b" || !h.escaped || string(h.host) != "shop.example:80" || h.length != 3 || h.closing {
		t.Errorf("%+v", h)
	}
	if got := h.values("X-A"); !reflect.DeepEqual(got, []string{"b", "c"}) {
		t.Errorf("X-A: %q", got)
	}
}

// What is not simple goes to net/http, whatever that makes of it.
func TestNotSimpleRequestHeads(t *testing.T) {
	var h requestHead
	for _, sent := range []string{
		"", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /# HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /?a;b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\x80 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n", " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: b\x00\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1234567890123456789\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\ntransfer-ENCODING: identity\r\nContent-Length: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nTrailer: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n",
		"GET /" + strings.Repeat("a", maxTarget) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if h.parse([]byte(sent)) {
			t.Errorf("simple: %.200q", sent)
		}
	}
}

// fieldsOf are lines as net/http would give them.
func fieldsOf(lines []headerLine) http.Header {
	h := http.Header{}
	for _, l := range lines {
		h.Add(string(l.name), string(l.value))
	}
	return h
}

// A head that is simple must mean the same to net/http.
func FuzzRequestHead(f *testing.F) {
	f.Add([]byte(simpleRequest))
	f.Add([]byte("GET /-._~!$&'()*+,;=:@[]?|^`{}\"<>\\ HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\nA:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return
		}
		var h requestHead
		if !h.parse(b[:end+4]) {
			return
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b[:end+4])))
		if err != nil {
			t.Fatalf("%q is simple, and to net/http %v", b, err)
		}
		want := fieldsOf(h.lines)
		want.Del("Host")
		req.Header.Del("Host")
		if req.Method != h.method || req.RequestURI != string(h.target) || req.URL.RequestURI() != string(h.target) || req.Host != string(h.host) ||
			req.ContentLength != h.length || req.Close != h.closing || len(req.TransferEncoding) > 0 || !h.escaped && req.URL.Path != string(h.path) ||
			!reflect.DeepEqual(req.Header, want) {
			t.Errorf("%q is %+v, and to net/http %+v", b, h, req)
		}
	})
}

const simpleAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"

// Likewise of answers.
func FuzzAnswerHead(f *testing.F) {
	f.Add([]byte(simpleAnswer), "GET")
	f.Add([]byte("HTTP/1.1 304 Not Modified\r\nEtag: x\r\nConnection: close\r\n\r\n"), "GET")
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\n"), "HEAD")
	f.Fuzz(func(t *testing.T, b []byte, method string) {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 || method != "GET" && method != "HEAD" && method != "POST" {
			return
		}
		var a answerHead
		if !a.parse(b[:end+4], method) || a.length > 1000 {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(b[:end+4]), strings.NewReader(strings.Repeat("x", 1000)))), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q is simple, and to net/http %v", b, err)
		}
		body, err := io.ReadAll(resp.Body)
		want := fieldsOf(a.lines)
		want.Del("Connection") // net/http removes it
		resp.Header.Del("Connection")
		if err != nil || resp.StatusCode != a.status || resp.Status != string(a.reason) || int64(len(body)) != a.length || resp.Close != a.closing ||
			len(resp.TransferEncoding) > 0 || !reflect.DeepEqual(resp.Header, want) {
			t.Errorf("%q is %+v, and to net/http %+v, body %q %v", b, a, resp, body, err)
		}
	})
}

func TestHeadsAllocateNothing(t *testing.T) {
	var h requestHead
	var a answerHead
	request, answer := []byte(simpleRequest), []byte(simpleAnswer)
	if n := testing.AllocsPerRun(100, func() {
		if !h.parse(request) || !a.parse(answer, "GET") {
			t.Fatal("not simple")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRequestHead(b *testing.B) {
	var h requestHead
	request := []byte(simpleRequest)
	b.ReportAllocs()
	b.SetBytes(int64(len(request)))
	for b.Loop() {
		h.parse(request)
	}
}

func BenchmarkAnswerHead(b *testing.B) {
	var a answerHead
	answer := []byte(simpleAnswer)
	b.ReportAllocs()
	b.SetBytes(int64(len(answer)))
	for b.Loop() {
		a.parse(answer, "GET")
	}
}

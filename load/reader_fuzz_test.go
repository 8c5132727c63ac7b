package load

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzResponseReader: what both take, our reader and net/http read alike,
// however the bytes arrive; nothing makes ours panic or read on for ever.
func FuzzResponseReader(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\nT: 1\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\nall", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nConnection: close\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r, slow responseReader
		r.reset()
		slow.reset()
		err := r.read(strings.NewReader(text), false, true)
		errSlow := slow.read(iotest.OneByteReader(strings.NewReader(text)), false, true)
		if (err == nil) != (errSlow == nil) || err == nil && (r.status != slow.status || string(r.kept) != string(slow.kept)) {
			t.Fatalf("whole %v %d %q, byte by byte %v %d %q", err, r.status, r.kept, errSlow, slow.status, slow.kept)
		}
		if err != nil || strings.HasPrefix(text[9:], "1") {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != r.status || string(body) != string(r.kept)) {
			t.Fatalf("net/http reads %d %q, this %d %q", resp.StatusCode, body, r.status, r.kept)
		}
	})
}

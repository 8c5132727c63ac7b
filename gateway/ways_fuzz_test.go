package gateway_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// FuzzWays sends the same bytes both ways; a request with Connection: close
// after them ends the talk. Run it with -fuzz for more than the table.
func FuzzWays(f *testing.F) {
	for _, sent := range requestTable() {
		if len(sent) < 2000 {
			f.Add([]byte(sent))
		}
	}
	w := newWays(f, scripts, nil)
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) > 8000 || bytes.Contains(sent, []byte("HEAD")) {
			return // the length of an answer to HEAD cannot be told without knowing the request
		}
		sent = append(slices.Clip(sent), "GET /end HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n"...)
		w.compare(t, sent, nil, 60*time.Millisecond)
	})
}

// FuzzAnswers lets the target answer with any bytes, and close.
func FuzzAnswers(f *testing.F) {
	for _, answer := range scripts {
		if len(answer) < 2000 {
			f.Add([]byte(answer))
		}
	}
	script := map[string]string{}
	w := newWays(f, script, func(c *gateway.Config) { c.Services[0].Timeouts.Response = duration(60 * time.Millisecond) })
	w.brokenAlike = true
	f.Fuzz(func(t *testing.T, answer []byte) {
		w.target.mu.Lock()
		script["/"] = strings.TrimSuffix(string(answer), thenClose) + thenClose
		w.target.mu.Unlock()
		w.compare(t, []byte("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), []string{"POST"}, 100*time.Millisecond)
	})
}

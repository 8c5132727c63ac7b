package gateway

import (
	"bufio"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// accessLog writes a JSON line for an exchange to a buffer, which is flushed
// each second.
type accessLog struct {
	enabled atomic.Bool
	stdout  io.Writer

	mu   sync.Mutex
	path string
	file *os.File // nil for standard output
	w    *bufio.Writer
	line []byte
	err  error // the first since the log was opened
}

func (a *accessLog) on() bool { return a.enabled.Load() }

// open makes ready what the next configuration wants, without disturbing
// what is.
func (a *accessLog) open(path string) (file *os.File, err error) {
	if path == "" || path == "-" {
		return nil, nil
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
}

// use switches to a log that open gave.
func (a *accessLog) use(path string, file *os.File) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finish()
	a.path, a.file, a.err = path, file, nil
	switch {
	case file != nil:
		a.w = bufio.NewWriterSize(file, 64<<10)
	case path == "-":
		a.w = bufio.NewWriterSize(a.stdout, 64<<10)
	}
	a.enabled.Store(a.w != nil)
}

// finish flushes and closes; it is called with mu held.
func (a *accessLog) finish() {
	a.enabled.Store(false)
	if a.w != nil {
		_ = a.w.Flush() // reported by flush as long as the log is in use
	}
	if a.file != nil {
		_ = a.file.Close()
	}
	a.w, a.file = nil, nil
}

func (a *accessLog) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finish()
}

// flush gives the first error of the log, once.
func (a *accessLog) flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.w == nil || a.err != nil {
		return nil
	}
	a.err = a.w.Flush()
	return a.err
}

func (a *accessLog) write(e *exchange, took time.Duration, broken bool) {
	if e.status < 500 && e.table != nil && e.table.logSample < 1 && rand.Float64() >= e.table.logSample {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.w == nil {
		return
	}
	a.line = appendLine(a.line[:0], e, took, broken)
	_, _ = a.w.Write(a.line) // a failed write stays in the writer and flush reports it
}

func appendLine(b []byte, e *exchange, took time.Duration, broken bool) []byte {
	b = append(b, `{"time":"`...)
	b = e.start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(b, '"')
	text := func(key, value string) {
		if value != "" {
			b = append(append(append(b, `,"`...), key...), `":`...)
			b = appendJSONString(b, value)
		}
	}
	number := func(key string, n int64) {
		b = append(append(append(b, `,"`...), key...), `":`...)
		b = strconv.AppendInt(b, n, 10)
	}
	text("id", e.id)
	text("client", e.clientName)
	text("method", e.asked.method)
	text("host", e.asked.host)
	text("path", e.asked.path) // no query: it may hold secrets
	text("proto", e.asked.proto)
	number("status", int64(e.status))
	if e.sent != nil {
		number("bytes", e.sent.n)
	}
	b = append(b, `,"ms":`...)
	b = strconv.AppendFloat(b, float64(took.Microseconds())/1000, 'f', 3, 64)
	if e.route != nil {
		text("route", e.route.name)
		text("service", e.route.service.config.Name)
	}
	if e.release != nil {
		text("release", e.release.name)
	}
	if e.target != nil {
		text("target", e.target.id)
	}
	if e.attempts > 1 {
		number("attempts", int64(e.attempts))
	}
	text("error", e.failure)
	if broken {
		b = append(b, `,"aborted":true`...)
	}
	return append(b, '}', '\n')
}

// appendJSONString quotes s; what is not plain ASCII goes the long way.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

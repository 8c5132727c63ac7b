package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	greenlight "github.com/greenlight-dev/greenlight"
)

// AccessLog is what an access log tells of requests: when they came, and as far
// as it has them, what they were.
type AccessLog struct {
	entries []logEntry
	kinds   []loggedRequest // that differ
	known   map[loggedRequest]int32
	others  int  // requests to other services, which are not in entries
	whole   int  // entries with a request
	ours    bool // the gateway wrote it: there are no queries in it

	unreadable int   // lines
	first      error // what is wrong with the first of them, which it names
}

// logEntry is one line.
type logEntry struct {
	at     time.Duration // after the first
	kind   int32         // in kinds
	nobody bool          // it went to no service that the line names
}

// loggedRequest is what a line says of a request; a method of "" is one that
// only came at a time.
type loggedRequest struct {
	method, target string
	class          int  // hundred of the status that is expected; 0: any below 400
	upgrade        bool // to another protocol
}

// requestLine finds the request and its status in the common and combined log
// formats.
var requestLine = regexp.MustCompile(`"([A-Z]{1,20}) ([^ "]+) HTTP/[0-9.]+" ([0-9]{3})\b`)

// ReadAccessLog reads an access log, one request a line: JSON as the gateway
// writes it, the common or combined log format of web servers, or a time alone
// (RFC 3339, or seconds). With a service, requests that the gateway gave to
// others are left out. Times of whole seconds are spread over their second.
// Lines that cannot be read are counted and left out; where they are most of
// them, it is no access log.
func ReadAccessLog(in io.Reader, service string) (*AccessLog, error) {
	l := &AccessLog{known: make(map[loggedRequest]int32)}
	var origin time.Time
	seconds, names := true, false
	err := eachNumberedLine(in, func(number int, line []byte) error {
		at, fraction, r, owner, err := l.read(line)
		if err != nil {
			l.skip(number, err)
			return nil
		}
		if names = names || owner != ""; service != "" && owner != "" && owner != service {
			l.others++
			return nil
		}
		if origin.IsZero() {
			origin = at
		}
		seconds = seconds && !fraction
		return l.add(logEntry{at: at.Sub(origin), nobody: owner == ""}, r)
	})
	if service != "" && names { // in a log that names services, what has none was refused
		all := len(l.entries)
		l.entries = slices.DeleteFunc(l.entries, func(e logEntry) bool { return e.nobody })
		l.others += all - len(l.entries)
	}
	switch {
	case err != nil:
		return nil, err
	case l.unreadable > len(l.entries)+l.others:
		return nil, l.noLog()
	case len(l.entries) == 0 && l.others > 0:
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "none of its %d requests went to %s", l.others, service)
	case len(l.entries) == 0:
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "it holds no requests")
	}
	if seconds {
		spread(l.entries)
	}
	return l, nil
}

// read takes a line apart.
func (l *AccessLog) read(line []byte) (at time.Time, fraction bool, r loggedRequest, owner string, err error) {
	if at, fraction, err = lineTime(line); err == nil {
		r, owner, err = l.requestOf(line)
	}
	return at, fraction, r, owner, err
}

func (l *AccessLog) skip(number int, err error) {
	if l.unreadable++; l.first == nil {
		l.first = fmt.Errorf("line %d: %w", number, err)
	}
}

func (l *AccessLog) noLog() error {
	all := l.unreadable + len(l.entries) + l.others
	if all == 1 {
		return greenlight.WithCode(greenlight.CodeInvalid, l.first)
	}
	return greenlight.Errorf(greenlight.CodeInvalid, "%d of its %d lines cannot be read; the first is %w", l.unreadable, all, l.first)
}

// Unreadable says how many lines could not be read, and what is wrong with the
// first of them; "" when there are none.
func (l *AccessLog) Unreadable() string {
	if l.unreadable == 0 {
		return ""
	}
	return fmt.Sprintf("%s of the log could not be read and are left out; the first is %v", counted(int64(l.unreadable), "line"), l.first)
}

func (l *AccessLog) add(e logEntry, r loggedRequest) error {
	if len(l.entries) == MaxRecorded {
		return fmt.Errorf("more than %d requests", MaxRecorded)
	}
	kind, known := l.known[r]
	if !known {
		if len(l.kinds) > MaxRequests {
			return fmt.Errorf("more than %d different requests", MaxRequests)
		}
		kind = int32(len(l.kinds)) //nolint:gosec // bounded above
		l.kinds = append(l.kinds, r)
		l.known[r] = kind
	}
	if r.method != "" {
		l.whole++
	}
	e.kind = kind
	l.entries = append(l.entries, e)
	return nil
}

// requestOf is what a line says of its request, and the service that it went
// to.
func (l *AccessLog) requestOf(line []byte) (r loggedRequest, service string, err error) {
	if line[0] != '{' {
		if found := requestLine.FindSubmatch(line); found != nil {
			status, _ := strconv.Atoi(string(found[3])) // three digits
			r = loggedRequest{method: string(found[1]), target: string(found[2])}
			r.answered(status)
		}
		return r, "", nil
	}
	var entry struct {
		Method, Path, Service, Status loose
		Aborted                       json.RawMessage
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return r, "", err
	}
	if entry.Method != "" && strings.HasPrefix(string(entry.Path), "/") {
		l.ours = true
		r = loggedRequest{method: string(entry.Method), target: (&url.URL{Path: string(entry.Path)}).EscapedPath()}
		if status, _ := strconv.Atoi(string(entry.Status)); string(entry.Aborted) != "true" { // without one it is 0
			r.answered(status)
		}
	}
	service = string(entry.Service)
	return r, service[strings.LastIndexByte(service, '/')+1:], nil // ENVIRONMENT/NAME
}

// loose is a text or a number; logs of others may have either, and what is
// neither is as nothing.
type loose string

// UnmarshalJSON never fails.
func (v *loose) UnmarshalJSON(data []byte) error {
	var text string
	switch {
	case data[0] == '"' && json.Unmarshal(data, &text) == nil:
		*v = loose(text)
	case data[0] >= '0' && data[0] <= '9':
		*v = loose(data)
	}
	return nil
}

// answered takes from the status what to expect of the next time: its class,
// unless it was the client's cache, a limit or a fault that gave it.
func (r *loggedRequest) answered(status int) {
	r.upgrade = status == http.StatusSwitchingProtocols
	switch {
	case status < 200, status >= 500, status == http.StatusNotModified, status == http.StatusTooManyRequests:
	default:
		r.class = status / 100
	}
}

// HasRequests tells whether there are requests in it, and not only times.
func (l *AccessLog) HasRequests() bool { return l.whole > 0 }

// Times are when its requests came, after some common moment, in the order of
// the lines.
func (l *AccessLog) Times() []time.Duration {
	times := make([]time.Duration, len(l.entries))
	for i, e := range l.entries {
		times[i] = e.at
	}
	return times
}

// ReplayOptions say what of a log is sent again.
type ReplayOptions struct {
	// Unsafe sends requests that change something, too: POST, PUT, DELETE and
	// whatever is not GET, HEAD or OPTIONS.
	Unsafe bool
	// Bodies are requests whose bodies those of the same method and path get.
	Bodies []Request
	// Body is what the others get that have one; "" leaves them out.
	Body string
	// Header is sent with all of them.
	Header []Field
}

// Replayed is a log made ready to be sent: a plan of times, requests that
// differ, and which of them is due each time.
type Replayed struct {
	Times    []time.Duration
	Requests []Request
	Order    []int32
	// Notes say what was left out, and what a log cannot tell.
	Notes []string
}

// Replay makes requests of the log. Its error says why nothing is left.
func (l *AccessLog) Replay(o ReplayOptions) (*Replayed, error) {
	out := &Replayed{}
	at := make([]int32, len(l.kinds)) // one more than in Requests; 0 is not known yet
	why := make([]string, len(l.kinds))
	left := make(map[string]int)
	if l.others > 0 {
		left["to other services, or none"] = l.others
	}
	sorted := slices.Clone(l.entries) // a line is written when its answer ends
	slices.SortStableFunc(sorted, func(a, b logEntry) int { return cmp.Compare(a.at, b.at) })
	for _, e := range sorted {
		if at[e.kind] == 0 && why[e.kind] == "" {
			r, not := l.kinds[e.kind].request(&o)
			if why[e.kind] = not; not == "" {
				out.Requests = append(out.Requests, r)
				at[e.kind] = int32(len(out.Requests)) //nolint:gosec // add bounds it
			}
		}
		if why[e.kind] != "" {
			left[why[e.kind]]++
			continue
		}
		out.Times, out.Order = append(out.Times, e.at), append(out.Order, at[e.kind]-1)
	}
	said := leftOut(left)
	if len(out.Order) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "nothing of it can be replayed: %s", said)
	}
	if said != "" {
		out.Notes = append(out.Notes, fmt.Sprintf("%d of %d requests of the log are replayed; left out: %s", len(out.Order), len(l.entries)+l.others, said))
	}
	if bad := l.Unreadable(); bad != "" {
		out.Notes = append(out.Notes, bad)
	}
	missing := "headers and bodies"
	if l.ours {
		missing = "queries, headers and bodies"
	}
	out.Notes = append(out.Notes, fmt.Sprintf("the log holds no %s, so none of the recorded ones are sent", missing))
	return out, nil
}

// leftOut says how many requests were left out, and why.
func leftOut(left map[string]int) string {
	var said []string
	for why, n := range left {
		said = append(said, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(said)
	return strings.Join(said, ", ")
}

// request is what is sent of a line, or why not.
func (r *loggedRequest) request(o *ReplayOptions) (_ Request, not string) {
	out := Request{Method: r.method, Path: r.target, Header: o.Header, Verbatim: true, Expect: Expect{Class: r.class}}
	switch {
	case r.method == "":
		return out, "whose line has no method and path"
	case r.upgrade || r.method == http.MethodConnect || r.method == http.MethodTrace:
		return out, "that changed the protocol or ask for a tunnel or a trace"
	case !httpguts.ValidHeaderFieldName(r.method) || strings.ContainsFunc(r.target, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return out, "whose method or path no client can send"
	case !strings.HasPrefix(r.target, "/") || strings.HasPrefix(r.target, "//"):
		return out, "whose target is no path"
	case r.method == http.MethodGet || r.method == http.MethodHead || r.method == http.MethodOptions:
		return out, ""
	case !o.Unsafe:
		return out, r.method + ", which may change something (--replay-unsafe sends them)"
	case r.method == http.MethodDelete:
		return out, ""
	}
	if given := r.given(o.Bodies); given != nil {
		out.Body, out.Verbatim = given.Body, given.Verbatim
		out.Header = append(slices.Clone(given.Header), o.Header...)
		return out, ""
	}
	if out.Body, out.Verbatim = o.Body, false; out.Body != "" {
		return out, ""
	}
	return out, r.method + " without a body to send (--body, or --requests for each path)"
}

// given is the request of a file that has this one's method and path.
func (r *loggedRequest) given(bodies []Request) *Request {
	path, _, _ := strings.Cut(r.target, "?")
	for i := range bodies {
		b := &bodies[i]
		to, _, _ := strings.Cut(b.Path, "?")
		if b.method() == r.method && to == path {
			return b
		}
	}
	return nil
}

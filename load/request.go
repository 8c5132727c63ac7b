package load

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Request is what is sent. Path, header values and body may hold {{…}}: see
// ParseTemplate.
type Request struct {
	Name   string // in results; method and path where it is empty
	Method string
	Path   string // with the query; a URL of the same origin is taken, too
	Header []Field
	Body   string
	// JSON is a body that is a JSON text, in whose strings values are filled in:
	// they are escaped, and "{{json name}}" stands for a value with its quotes.
	JSON   bool
	Weight float64 // share in a mix; 0 is 1
	Expect Expect
	// Save keeps parts of the answer, which is JSON, for the steps that follow
	// in Then: a name for {{name}} and the path to the part, as data.items.0.id.
	Save map[string]string
	// Then are the steps that a client takes after this one is answered.
	Then []Request
	// Verbatim takes {{…}} as text: what was recorded is sent as it was.
	Verbatim bool
}

// Field is one header field.
type Field struct{ Name, Value string }

// Expect says when an answer is right.
type Expect struct {
	Status   int    `json:"status"`   // this one; 0: any of the class
	Class    int    `json:"class"`    // any of this hundred, as 2; 0: any below 400
	Contains string `json:"contains"` // the body holds this
}

// MaxRequests bounds a mix.
const MaxRequests = 100_000

// MaxBody bounds the body of one request.
const MaxBody = 16 << 20

// Mix is requests ready to be sent: one after the other, or at random by
// weight when weights differ.
type Mix struct {
	requests []*compiled
	weighted []float64 // ascending sums, nil when each has its turn
	order    []int32   // which request has its turn, again and again; nil is one after the other
	rows     *Rows
	seed     uint64
	routes   []string // names, in order of appearance
	byName   map[string]int
	journeys bool // some requests have steps that follow
}

// compiled is a request as bytes, as far as they are known beforehand.
type compiled struct {
	route   int
	method  string
	path    *template
	names   []string
	values  []*template
	body    *template
	expect  Expect
	fixed   []byte // the whole request for HTTP/1.1, nil when a part varies
	noBody  bool   // the answer has no body whatever its header says: HEAD
	retries bool   // may be sent again when the connection turned out to be closed
	saves   []save
	then    *compiled // the step that follows
}

// keeps tells whether the answer's body is looked at.
func (c *compiled) keeps() bool { return c.expect.Contains != "" || len(c.saves) > 0 }

// MaxSteps bounds the steps of one journey.
const MaxSteps = 100

// maxRoutes bounds the names that results are told apart by.
const maxRoutes = 200

// NewMix compiles requests for a target. rows may be nil. The seed decides
// every random choice.
func NewMix(t *Target, requests []Request, rows *Rows, keepAlive bool, seed uint64) (*Mix, error) {
	if len(requests) == 0 || len(requests) > MaxRequests {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d requests; 1 to %d are possible", len(requests), MaxRequests)
	}
	m := &Mix{rows: rows, seed: seed, byName: make(map[string]int)}
	var sum float64
	differ := false
	for i := range requests {
		c, err := m.compile(t, &requests[i], keepAlive)
		if err != nil {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "request %d: %w", i+1, err)
		}
		m.requests = append(m.requests, c)
		w := requests[i].weight()
		differ = differ || w != requests[0].weight()
		sum += w
		m.weighted = append(m.weighted, sum)
	}
	if !differ {
		m.weighted = nil
	}
	return m, nil
}

// compile makes a request and the steps that follow it ready.
func (m *Mix) compile(t *Target, r *Request, keepAlive bool) (*compiled, error) {
	in := &scope{rows: m.rows}
	first, err := compile(t, r, in, keepAlive)
	if err != nil {
		return nil, err
	}
	first.route = m.route(r.name(t))
	last := first
	if len(r.Then) >= MaxSteps {
		return nil, fmt.Errorf("%d steps follow; at most %d", len(r.Then), MaxSteps-1)
	}
	for i := range r.Then {
		step := &r.Then[i]
		if len(step.Then) > 0 {
			return nil, fmt.Errorf("step %d has steps of its own; list all in the first", i+2)
		}
		if last.then, err = compile(t, step, in, keepAlive); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+2, err)
		}
		last = last.then
		last.route = m.route(step.name(t))
		m.journeys = true
	}
	return first, nil
}

// route is the place of a name among those that results are told apart by.
func (m *Mix) route(name string) int {
	at, known := m.byName[name]
	if known {
		return at
	}
	if at = len(m.routes); at >= maxRoutes {
		name, at = "others", maxRoutes
	}
	if at == len(m.routes) {
		m.routes = append(m.routes, name)
	}
	m.byName[name] = at
	return at
}

// name is what results call the request: without control characters, because a
// file may come from elsewhere and a terminal would obey them.
func (r *Request) name(t *Target) string {
	if r.Name != "" {
		return strings.Map(func(c rune) rune {
			if unicode.IsControl(c) {
				return '\uFFFD'
			}
			return c
		}, r.Name)
	}
	path, err := t.pathOf(r.Path)
	if err != nil || r.Path == "" {
		path = t.path()
	}
	path, _, _ = strings.Cut(path, "?")
	return r.method() + " " + path
}

func (r *Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r *Request) weight() float64 {
	if r.Weight == 0 {
		return 1
	}
	return r.Weight
}

func compile(t *Target, r *Request, in *scope, keepAlive bool) (*compiled, error) {
	path := t.path()
	if r.Path != "" {
		var err error
		if path, err = t.pathOf(r.Path); err != nil {
			return nil, err
		}
	}
	switch method := r.method(); {
	case !httpguts.ValidHeaderFieldName(method):
		return nil, fmt.Errorf("%q is no method", clip(method))
	case !(r.Weight >= 0 && r.Weight <= 1e9):
		return nil, fmt.Errorf("weight is %v; it must be above 0", r.Weight)
	case len(r.Body) > MaxBody:
		return nil, fmt.Errorf("the body has %d bytes; at most %d", len(r.Body), MaxBody)
	case r.Expect.Status != 0 && (r.Expect.Status < 200 || r.Expect.Status > 599):
		return nil, fmt.Errorf("the expected status is %d; want 200 to 599", r.Expect.Status)
	case r.Expect.Class != 0 && (r.Expect.Class < 2 || r.Expect.Class > 5):
		return nil, fmt.Errorf("the expected class of status is %d; want 2 to 5", r.Expect.Class)
	}
	c := &compiled{method: r.method(), expect: r.Expect, noBody: r.method() == http.MethodHead}
	switch c.method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		c.retries = true
	}
	var err error
	if c.path, err = r.template(path, in, escapePath); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if c.path.literal(func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f })
	}) {
		return nil, fmt.Errorf("the path %q holds a space or a control character; write %%20 for a space", clip(path))
	}
	if r.JSON && !r.Verbatim {
		c.body, err = parseJSONTemplate(r.Body, in)
	} else {
		c.body, err = r.template(r.Body, in, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if err := c.addHeader(t, r, in, keepAlive); err != nil {
		return nil, err
	}
	if c.isFixed() {
		c.fixed = c.appendHTTP1(nil, nil, nil)
	}
	c.saves, err = in.saves(r.Save)
	return c, err
}

func (r *Request) template(text string, in *scope, escape escape) (*template, error) {
	if r.Verbatim && text != "" {
		return &template{parts: []part{{text: text}}}, nil
	}
	return parseTemplate(text, in, escape)
}

// addHeader takes the request's fields, and those that every request needs.
func (c *compiled) addHeader(t *Target, r *Request, in *scope, keepAlive bool) error {
	own := []Field{{"Host", t.host}, {"User-Agent", "greenlight-load"}, {"Accept", "*/*"}}
	if !keepAlive {
		own = append(own, Field{"Connection", "close"})
	}
	if r.JSON || strings.HasPrefix(r.Body, "[") || strings.HasPrefix(r.Body, "{") && !strings.HasPrefix(r.Body, "{{") {
		own = append(own, Field{"Content-Type", "application/json"})
	}
	for _, f := range r.Header {
		switch {
		case !httpguts.ValidHeaderFieldName(f.Name):
			return fmt.Errorf("%q is no name of a header field", clip(f.Name))
		case !httpguts.ValidHeaderFieldValue(f.Value):
			return fmt.Errorf("the value of %s holds a control character", f.Name)
		}
		switch http.CanonicalHeaderKey(f.Name) {
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
			return fmt.Errorf("%s is set by the generator", f.Name)
		}
		for i := range own {
			if strings.EqualFold(own[i].Name, f.Name) {
				own[i].Name = "" // the request's own replaces it
			}
		}
	}
	for _, f := range append(own, r.Header...) {
		if f.Name == "" {
			continue
		}
		v, err := r.template(f.Value, in, escapeHeader)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		c.names, c.values = append(c.names, f.Name), append(c.values, v)
	}
	return nil
}

func (c *compiled) isFixed() bool {
	for _, v := range c.values {
		if !v.fixed() {
			return false
		}
	}
	return c.path.fixed() && c.body.fixed()
}

// appendHTTP1 writes the request as HTTP/1.1 has it. body is scratch.
func (c *compiled) appendHTTP1(dst []byte, body *[]byte, v *values) []byte {
	dst = append(append(dst, c.method...), ' ')
	dst = append(c.path.append(dst, v), " HTTP/1.1\r\n"...)
	for i, name := range c.names {
		dst = append(append(dst, name...), ": "...)
		dst = append(c.values[i].append(dst, v), "\r\n"...)
	}
	var local []byte
	if body == nil {
		body = &local
	}
	*body = c.body.append((*body)[:0], v)
	if len(*body) > 0 || c.method == http.MethodPost || c.method == http.MethodPut || c.method == http.MethodPatch {
		dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(len(*body)), 10)
		dst = append(dst, "\r\n"...)
	}
	return append(append(dst, "\r\n"...), *body...)
}

// InOrder has the requests sent in this order, each by its place among them,
// instead of one after the other.
func (m *Mix) InOrder(order []int32) error {
	if len(order) == 0 || len(order) > MaxRecorded {
		return greenlight.Errorf(greenlight.CodeInvalid, "an order of %d requests; 1 to %d are possible", len(order), MaxRecorded)
	}
	for _, at := range order {
		if at < 0 || int(at) >= len(m.requests) {
			return greenlight.Errorf(greenlight.CodeInvalid, "the order has a request %d; there are %d", at, len(m.requests))
		}
	}
	m.order = order
	return nil
}

// pick is the request that number i of a run sends: a function of i and the
// seed alone, so a run can be repeated whatever the timing.
func (m *Mix) pick(i int64) *compiled {
	if m.order != nil {
		return m.requests[m.order[uint64(i)%uint64(len(m.order))]] //nolint:gosec // i is not negative
	}
	if m.weighted == nil {
		return m.requests[uint64(i)%uint64(len(m.requests))] //nolint:gosec // i is not negative
	}
	rng := rand.New(rand.NewPCG(m.seed, uint64(i))) //nolint:gosec // not for secrets
	at := rng.Float64() * m.weighted[len(m.weighted)-1]
	for k, sum := range m.weighted {
		if at < sum {
			return m.requests[k]
		}
	}
	return m.requests[len(m.requests)-1]
}

// values gives what the templates of request i stand for.
func (m *Mix) values(v *values, i int64) *values {
	v.number = i
	v.saved = v.saved[:0]
	v.rng.Seed(m.seed^0x9e3779b97f4a7c15, uint64(i)) //nolint:gosec // not for secrets
	if m.rows != nil {
		v.row = m.rows.values[uint64(i)%uint64(len(m.rows.values))] //nolint:gosec // i is not negative
	}
	return v
}

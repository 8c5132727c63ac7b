package load_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// seen collects what a server is asked.
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf("%s %s %s|%s|%s", r.Method, r.URL, r.Header.Get("X-Who"), r.Header.Get("Content-Type"), body))
}

func (s *seen) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := make(map[string]int)
	for _, line := range s.all {
		n[line]++
	}
	return n
}

// sendAll sends n requests of a mix and gives what arrived.
func sendAll(t *testing.T, n int, requests []load.Request, rows *load.Rows) (*seen, *load.Result) {
	t.Helper()
	s := &seen{}
	url := serve(t, s.ServeHTTP)
	o := plan(t, url)
	o.Mix = must[*load.Mix](t)(load.NewMix(o.Target, requests, rows, true, 7))
	return s, run(t, open(t, o, 1000, time.Duration(n)*time.Millisecond))
}

func TestMixInTurn(t *testing.T) {
	requests := must[[]load.Request](t)(load.ReadRequests(strings.NewReader(`
{"path":"/a?q=1"}
{"path":"/b","method":"PUT","headers":{"X-Who":"me"},"body":"text","name":"put b","expect":{"status":200}}

{"path":"/c","body":{"rows": [1]}}
`)))
	s, r := sendAll(t, 9, requests, nil)
	want := map[string]int{"GET /a?q=1 ||": 3, "PUT /b me||text": 3, `POST /c |application/json|{"rows": [1]}`: 3}
	if !maps.Equal(s.counts(), want) {
		t.Errorf("the server saw %v, want %v", s.counts(), want)
	}
	var names []string
	for _, route := range r.Routes {
		names = append(names, fmt.Sprintf("%s %d×%d", route.Name, route.Status, route.Requests))
	}
	if !slices.Equal(names, []string{"GET /a 200×3", "POST /c 200×3", "put b 200×3"}) {
		t.Errorf("routes %v", names)
	}
}

// TestMixByWeight: shares follow the weights, and the same seed gives the
// same requests.
func TestMixByWeight(t *testing.T) {
	requests := []load.Request{{Path: "/often", Weight: 9}, {Path: "/seldom"}}
	a, _ := sendAll(t, 1000, requests, nil)
	b, _ := sendAll(t, 1000, requests, nil)
	if !maps.Equal(a.counts(), b.counts()) {
		t.Errorf("the same seed gives %v and %v", a.counts(), b.counts())
	}
	if n := a.counts()["GET /seldom ||"]; n < 70 || n > 130 {
		t.Errorf("%d of 1000 have a tenth of the weight", n)
	}
}

func TestTemplates(t *testing.T) {
	rows := must[*load.Rows](t)(load.ReadCSVRows(strings.NewReader("who,age\n\"O\"\"Neil, A\",7\nÅsa,x\n")))
	s, r := sendAll(t, 4, []load.Request{{
		Path: "/{{seq}}/{{who}}", Header: []load.Field{{Name: "X-Who", Value: "<{{who}}>"}},
		Body: `{"who":{{json who}},"age":{{json age}},"n":{{random 5 5}}}`, Method: "POST",
	}}, rows)
	if r.Errors != 0 {
		t.Fatal(r.ErrorKinds)
	}
	want := map[string]int{
		`POST /0/O%22Neil%2C%20A <O"Neil, A>|application/json|{"who":"O\"Neil, A","age":7,"n":5}`: 1,
		`POST /1/%C3%85sa <Åsa>|application/json|{"who":"Åsa","age":"x","n":5}`:                   1,
		`POST /2/O%22Neil%2C%20A <O"Neil, A>|application/json|{"who":"O\"Neil, A","age":7,"n":5}`: 1,
		`POST /3/%C3%85sa <Åsa>|application/json|{"who":"Åsa","age":"x","n":5}`:                   1,
	}
	if !maps.Equal(s.counts(), want) {
		t.Errorf("the server saw %v", s.counts())
	}
}

func TestTemplatesFromJSON(t *testing.T) {
	rows := must[*load.Rows](t)(load.ReadJSONRows(strings.NewReader(`{"b":[1,{"x":2}],"a":"q\"\n"}` + "\n")))
	s, _ := sendAll(t, 1, []load.Request{{Path: "/", Body: `{{a}}|{{json a}}|{{b}}|{{uuid}}`, Method: "POST", Header: []load.Field{{Name: "X-Who", Value: "{{a}}"}}}}, rows)
	want := regexp.MustCompile(`(?s)^POST / q"\|\|q"\n\|"q\\"\\n"\|\[1,\{"x":2\}\]\|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if len(s.all) != 1 || !want.MatchString(s.all[0]) {
		t.Errorf("the server saw %q", s.all)
	}
}

func TestRequestsRefused(t *testing.T) {
	target := must[*load.Target](t)(load.ParseTarget(context.Background(), "http://127.0.0.1:9/"))
	rows := must[*load.Rows](t)(load.ReadCSVRows(strings.NewReader("who\nme\n")))
	for want, r := range map[string]load.Request{
		`request 1: "GE T" is no method`:           {Method: "GE T"},
		"is not of http://127.0.0.1:9":             {Path: "http://example.com/x"},
		"holds a space or a control character":     {Path: "/a b"},
		`"X Y" is no name of a header field`:       {Header: []load.Field{{Name: "X Y"}}},
		"the value of X holds a control":           {Header: []load.Field{{Name: "X", Value: "a\r\nB: c"}}},
		"content-length is set by the generator":   {Header: []load.Field{{Name: "content-length", Value: "1"}}},
		"weight is -1":                             {Weight: -1},
		"the expected status is 42":                {Expect: load.Expect{Status: 42}},
		`body: {{who is not closed by }}`:          {Body: "{{who"},
		`the data has no column "age"; it has who`: {Body: "{{age}}"},
		"want two whole numbers":                   {Body: "{{random 5 1}}"},
		"{{}}: want seq, uuid":                     {Body: "{{}}"},
	} {
		if _, err := load.NewMix(target, []load.Request{r}, rows, true, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := load.NewMix(target, []load.Request{{Body: "{{who}}"}}, nil, true, 1); err == nil || !strings.Contains(err.Error(), "no data is given") {
		t.Errorf("got %v", err)
	}
}

func TestFilesRefused(t *testing.T) {
	for given, want := range map[string]string{
		"":                            "no requests",
		"{\"path\":\"/\"}\n{\"path\"": "line 2: unexpected EOF",
		`{"method":"GET"}`:            `line 1: "path" is missing`,
		`{"path":"/","pth":"/"}`:      `line 1: json: unknown field "pth"`,
		`{"path":"/"} {"path":"/"}`:   "line 1: more than one JSON value on a line",
	} {
		if _, err := load.ReadRequests(strings.NewReader(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", given, err, want)
		}
	}
	for given, want := range map[string]string{
		"":                     "no rows",
		"{\"a\":1}\n{\"b\":1}": `line 2: the row lacks "a"`,
		"{\"a\":1}\n{}":        "line 2: the row has 0 fields, the first one 1",
		"{\"a\":1}\n[1]":       "line 2: json: cannot unmarshal array",
	} {
		if _, err := load.ReadJSONRows(strings.NewReader(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", given, err, want)
		}
	}
	for given, want := range map[string]string{"": "the header: EOF", "a,b\n": "no rows", "a,b\n1\n": "line 2"} {
		if _, err := load.ReadCSVRows(strings.NewReader(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", given, err, want)
		}
	}
}

// TestNamesCommandNoTerminal: a file of requests may come from elsewhere.
func TestNamesCommandNoTerminal(t *testing.T) {
	_, r := sendAll(t, 2, []load.Request{{Path: "/", Name: "a\x1b[31mb\nc\u009bd"}}, nil)
	if len(r.Routes) != 1 || r.Routes[0].Name != "a\uFFFD[31mb\uFFFDc\uFFFDd" {
		t.Errorf("%+v", r.Routes)
	}
}

// TestParseTargetShowsNoPassword: where a URL cannot be read, nobody knows which
// part of it is the password.
func TestParseTargetShowsNoPassword(t *testing.T) {
	for _, given := range []string{
		"http://app:sesame@127.0.0.1:1/", "http://app:ses ame@127.0.0.1:1/", "http://127.0.0.1:same/x@127.0.0.1/",
		"ftp://app:sesame@127.0.0.1/", "ftp://app:se@same@127.0.0.1/", "http://app:%zzame@127.0.0.1",
	} {
		target, err := load.ParseTarget(t.Context(), given)
		if greenlight.CodeOf(err) != greenlight.CodeInvalid || strings.Contains(err.Error(), "ame") {
			t.Errorf("%s: %v, %v", given, target, err)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:8080/x":     "127.0.0.1:8080 true",
		"http://127.0.0.1":     "127.0.0.1:80 true",
		"https://127.9.9.9/":   "127.9.9.9:443 true",
		"http://[::1]:99/":     "[::1]:99 true",
		"http://192.0.2.1:81/": "192.0.2.1:81 false",
		"localhost:1":          "127.0.0.1:1 true",
	} {
		target, err := load.ParseTarget(context.Background(), given)
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if got := fmt.Sprint(target.Address, " ", target.Loopback()); got != want {
			t.Errorf("%s is %s, want %s", given, got, want)
		}
	}
	for _, given := range []string{"ftp://127.0.0.1/", "http:///x", "http://u:p@127.0.0.1/", "http://127.0.0.1:99999/", "%"} {
		if target, err := load.ParseTarget(context.Background(), given); err == nil {
			t.Errorf("%s is taken as %s", given, target.Address)
		}
	}
}

func FuzzReadRequests(f *testing.F) {
	f.Add(`{"path":"/{{seq}}","headers":{"X":"{{uuid}}"},"body":{"a":"{{random 1 9}}"},"weight":2,"expect":{"status":200}}`)
	f.Add(`{"path":"http://127.0.0.1:9/x","method":"HEAD"}`)
	target, err := load.ParseTarget(context.Background(), "http://127.0.0.1:9/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if requests, err := load.ReadRequests(strings.NewReader(text)); err == nil {
			_, _ = load.NewMix(target, requests, nil, true, 1)
		}
	})
}

package load_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

func TestReadProof(t *testing.T) {
	const proof = `{"format":"greenlight-proof/1","cases":[{"name":"two","inputs":[
		{"name":"a","datatype":"FP32","shape":[2,1],"data":[1.5,null]},
		{"name":"b","datatype":"BYTES","shape":[2,2,1],"data":["x","y","z","\"q"]}],"outputs":[]}]}`
	for path, want := range map[string][]string{
		"/predict": {`{"rows":[{"a":1.5,"b":[["x"],["y"]]}]}`, `{"rows":[{"a":null,"b":[["z"],["\"q"]]}]}`},
		"/v2/models/m/infer": {
			`{"inputs":[{"name":"a","datatype":"FP32","shape":[1,1],"data":[1.5]},{"name":"b","datatype":"BYTES","shape":[1,2,1],"data":["x","y"]}]}`,
			`{"inputs":[{"name":"a","datatype":"FP32","shape":[1,1],"data":[null]},{"name":"b","datatype":"BYTES","shape":[1,2,1],"data":["z","\"q"]}]}`,
		},
	} {
		requests, err := load.ReadProof(strings.NewReader(proof), path)
		if err != nil || len(requests) != 2 {
			t.Fatalf("%s gives %v (%v)", path, requests, err)
		}
		for i, r := range requests {
			if r.Body != want[i] || r.Method != "POST" || r.Name != "two" {
				t.Errorf("%s, row %d: %+v, want %s", path, i, r, want[i])
			}
		}
	}
}

// TestReadProofOfExamples: every row of every example is one request.
func TestReadProofOfExamples(t *testing.T) {
	for name, want := range map[string]int{"penguins": 88, "digits": 49, "co2": 37} {
		f, err := os.Open("../examples/" + name + "/proof.json")
		if err != nil {
			t.Fatal(err)
		}
		requests, err := load.ReadProof(f, "/predict")
		_ = f.Close()
		if err != nil || len(requests) != want {
			t.Errorf("%s: %d requests (%v), want %d", name, len(requests), err, want)
		}
		for _, r := range requests {
			if !json.Valid([]byte(r.Body)) {
				t.Errorf("%s: %s", name, r.Body)
			}
		}
	}
}

func TestReadProofRefuses(t *testing.T) {
	for given, want := range map[string]string{
		"{":            "it is no proof",
		`{"cases":[]}`: "no rows",
		`{"cases":[{"name":"x","inputs":[{"name":"a","shape":[],"data":[]}]}]}`:                                    `case "x": input "a" has no rows`,
		`{"cases":[{"inputs":[{"name":"a","shape":[2,2],"data":[1,2,3]}]}]}`:                                       "has the shape [2 2]",
		`{"cases":[{"inputs":[{"name":"a","shape":[-1],"data":[1]}]}]}`:                                            "has the shape [-1]",
		`{"cases":[{"inputs":[{"name":"a","shape":[1],"data":[1]},{"name":"b","shape":[2],"data":[1,2]}]}]}`:       `input "b"`,
		`{"cases":[{"inputs":[{"name":"a","shape":[3,9223372036854775807,9223372036854775807],"data":[1,2,3]}]}]}`: "has the shape",
	} {
		if _, err := load.ReadProof(strings.NewReader(given), "/predict"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q", given, err, want)
		}
	}
	if _, err := load.ReadProof(strings.NewReader("{}"), "/"); err == nil || !strings.Contains(err.Error(), "ends in /predict or /infer") {
		t.Errorf("got %v", err)
	}
}

func TestReadTimes(t *testing.T) {
	ms := time.Millisecond
	for name, c := range map[string]struct {
		log  string
		want []time.Duration
	}{
		"gateway": {`{"time":"2026-11-22T10:00:00.500000Z","method":"GET"}` + "\n" + `{"time":"2026-11-22T10:00:00.250000Z"}`, []time.Duration{0, -250 * ms}},
		"common": {`1.2.3.4 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.0" 200 2
1.2.3.4 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.0" 200 2
1.2.3.4 - - [10/Oct/2026:13:55:38 -0700] "GET / HTTP/1.0" 200 2 "-" "curl"`, []time.Duration{0, 500 * ms, 2000 * ms}},
		"seconds": {"0\n0.25\n\n1e0\n", []time.Duration{0, 250 * ms, 1000 * ms}},
		"RFC3339": {"2026-11-22T10:00:00Z\n2026-11-22T10:00:01.5Z\n", []time.Duration{0, 1500 * ms}},
	} {
		got, err := load.ReadTimes(strings.NewReader(c.log))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, c.want)
		}
	}
	for given, want := range map[string]string{
		"": "no requests", "1\nhello\nyou\n": `2 of its 3 lines cannot be read; the first is line 2: "hello" holds no time`, `{"a":1}`: `line 1: it has no "time"`, "-5": "line 1", "NaN": "line 1",
	} {
		if _, err := load.ReadTimes(strings.NewReader(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", given, err, want)
		}
	}
}

func TestReadHAR(t *testing.T) {
	const har = `{"log":{"version":"1.2","entries":[
		{"request":{"method":"GET","url":"https://shop.example/a?q={{x}}","headers":[{"name":":authority","value":"shop.example"},{"name":"Host","value":"shop.example"},{"name":"X-Who","value":"{{me}}"}]}},
		{"request":{"method":"GET","url":"https://cdn.example/x.js","headers":[]}},
		{"request":{"method":"POST","url":"https://shop.example/b","headers":[{"name":"content-type","value":"text/x"}],"postData":{"mimeType":"text/x","text":"{{body}}"}}}]}}`
	requests, others, err := load.ReadHAR(strings.NewReader(har))
	if err != nil || others != 1 || len(requests) != 2 {
		t.Fatal(requests, others, err)
	}
	s, r := sendAll(t, 2, requests, nil)
	want := map[string]int{"GET /a?q={{x}} {{me}}||": 1, "POST /b |text/x|{{body}}": 1}
	if r.Errors != 0 || !reflect.DeepEqual(s.counts(), want) {
		t.Errorf("the server saw %v (%v), want %v", s.counts(), r.ErrorKinds, want)
	}
	for given, want := range map[string]string{"[": "no HAR file", "{}": "no requests", `{"log":{"entries":[{"request":{"url":"/x"}}]}}`: `entry 1: "/x" is no URL`} {
		if _, _, err := load.ReadHAR(strings.NewReader(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q", given, err, want)
		}
	}
}

func FuzzReadProof(f *testing.F) {
	f.Add(`{"cases":[{"name":"n","inputs":[{"name":"a","datatype":"FP32","shape":[2,1],"data":[1,null]}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		requests, err := load.ReadProof(strings.NewReader(text), "/predict")
		for _, r := range requests {
			if err == nil && !json.Valid([]byte(r.Body)) {
				t.Errorf("%s", r.Body)
			}
		}
	})
}

package load_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/load"
)

// TestValuesInJSON: what is filled into an object stays inside its string,
// and into a text as it is.
func TestValuesInJSON(t *testing.T) {
	rows := must[*load.Rows](t)(load.ReadCSVRows(strings.NewReader("city,n,broken\n\"Köln \"\"x\"\" \\\",5,\"a\n\xff\"\n")))
	requests := must[[]load.Request](t)(load.ReadRequests(strings.NewReader(
		`{"path":"/a","body":{"q":"{{city}}","n":"{{n}}","in \"{{json city}}\"":["{{json n}}", "{{json city}}" ],"{{json n}}": "-{{json n}}","b":"{{broken}}"}}` + "\n" +
			`{"path":"/b","body":"{\"q\":{{json city}},\"n\":{{n}},\"r\":\"{{city}}\"}"}`)))
	s, r := sendAll(t, 2, requests, rows)
	if r.Errors != 0 {
		t.Fatal(r.ErrorKinds)
	}
	want := map[string]int{
		`POST /a |application/json|{"q":"Köln \"x\" \\","n":"5","in \"\"Köln \\\"x\\\" \\\\\"\"":[5, "Köln \"x\" \\" ],"5": "-5","b":"a\n` + `\ufffd"}`: 1,
		`POST /b |application/json|{"q":"Köln \"x\" \\","n":5,"r":"Köln "x" \"}`:                                                                        1,
	}
	if !maps.Equal(s.counts(), want) {
		t.Errorf("the server saw\n%s", strings.Join(s.all, "\n"))
	}
	for _, line := range s.all {
		if body := line[strings.LastIndex(line, "|")+1:]; strings.Contains(line, "/a") && !json.Valid([]byte(body)) {
			t.Errorf("%s is no JSON", body)
		}
	}
}

func TestValuesWithoutQuotes(t *testing.T) {
	for _, line := range []string{`{"path":"/","body":{"q":{{json city}}}}`, `{"path":"/","body":[{{n}}]}`} {
		_, err := load.ReadRequests(strings.NewReader(line))
		if err == nil || !strings.Contains(err.Error(), "line 1: ") || !strings.Contains(err.Error(), `values stand in quotes, as "{{name}}"`) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := load.ReadRequests(strings.NewReader(`{"path":"/{{seq}}","body":7x}`)); err == nil {
		t.Error("no JSON is taken")
	}
}

package load

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestFillingDoesNotAllocate: neither in a text, nor in JSON whose values need
// no escapes.
func TestFillingDoesNotAllocate(t *testing.T) {
	rows := &Rows{columns: []string{"city", "n"}, values: [][]value{{{"Köln", `"Köln"`}, {"5", "5"}}}}
	in := &scope{rows: rows}
	plain, err := parseTemplate(`q={{city}}&n={{json n}}&{{seq}}`, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	object, err := parseJSONTemplate(`{"q":"{{city}}","n":"{{json n}}","s":"{{seq}}"}`, in)
	if err != nil {
		t.Fatal(err)
	}
	mix := &Mix{rows: rows}
	v := mix.values(newValues(), 3)
	for want, c := range map[string]*template{`q=Köln&n=5&3`: plain, `{"q":"Köln","n":5,"s":"3"}`: object} {
		dst := make([]byte, 0, 100)
		if got := string(c.append(dst, v)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if n := testing.AllocsPerRun(100, func() { dst = c.append(dst[:0], v) }); n > 0 {
			t.Errorf("%v allocations for %s", n, want)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	rows := &Rows{columns: []string{"city"}, values: [][]value{{{"Köln", `"Köln"`}}}}
	c, err := parseJSONTemplate(`{"q":"{{city}}","n":"{{seq}}"}`, &scope{rows: rows})
	if err != nil {
		b.Fatal(err)
	}
	v := (&Mix{rows: rows}).values(newValues(), 3)
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = c.append(dst[:0], v)
	}
}

// FuzzJSONBody: what is filled into a body that is JSON leaves it JSON.
func FuzzJSONBody(f *testing.F) {
	f.Add(`{"q":"{{a}}","n":"{{json a}}"}`, `Köln "x"`)
	f.Add(`["{{json a}}","\\\"{{json a}}\"",{"{{json a}}" : 1}, "{{a}}{{json a}}"]`, "a\n\xff")
	f.Add(`{"a":"{{json a}}{{seq}}\\"}`, "-1")
	f.Fuzz(func(t *testing.T, body, text string) {
		line, err := json.Marshal(map[string]json.RawMessage{"path": json.RawMessage(`"/"`), "body": json.RawMessage(body)})
		if err != nil {
			return
		}
		requests, err := ReadRequests(strings.NewReader(string(line)))
		if err != nil || !requests[0].JSON {
			return
		}
		rows := &Rows{columns: []string{"a"}, values: [][]value{{cell(text)}}}
		c, err := parseJSONTemplate(requests[0].Body, &scope{rows: rows})
		if err != nil {
			return
		}
		if got := c.append(nil, (&Mix{rows: rows}).values(newValues(), 3)); !json.Valid(got) {
			t.Errorf("%s with %q is %s", requests[0].Body, text, got)
		}
	})
}

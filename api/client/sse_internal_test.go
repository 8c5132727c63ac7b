package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// decode gives all events as "name#id=data".
func decode(r io.Reader) ([]string, error) {
	d := newDecoder(r, func() {})
	var list []string
	for {
		e, err := d.next()
		if err != nil {
			return list, err
		}
		list = append(list, fmt.Sprintf("%s#%s=%s", e.name, e.id, e.data))
	}
}

func TestDecoder(t *testing.T) {
	for text, want := range map[string]string{
		"":                                              "",
		"data: a\n\n":                                   "#=a",
		"data:a\n\ndata:  b\n\n":                        "#=a|#= b",
		"data: a\r\n\r\ndata: b\r\r":                    "#=a|#=b",
		"data: a\ndata: b\n\n":                          "#=a\nb",
		"data\n\n":                                      "#=",
		"data\ndata\n\n":                                "#=\n",
		"event: x\nid: 1\ndata: a\n\n":                  "x#1=a",
		"id: 1\ndata: a\n\ndata: b\n\n":                 "#1=a|#1=b",
		"id: 1\n\ndata: b\n\n":                          "#1=b",
		"id: 1\ndata: a\n\nid\ndata: b\n\n":             "#1=a|#=b",
		"id: 1\x00\ndata: a\n\n":                        "#=a",
		"event: x\n\ndata: a\n\n":                       "#=a",
		": comment\n:\n\ndata: a\n\n":                   "#=a",
		"retry: 5\nother: x\ndata: a\n\n":               "#=a",
		"\xef\xbb\xbfdata: a\n\n":                       "#=a",
		"data: cut off":                                 "",
		"data: cut off\n":                               "",
		"data: a:b: c\n\n":                              "#=a:b: c",
		"data: " + strings.Repeat("x", 99_999) + "\n\n": "#=" + strings.Repeat("x", 99_999),
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := decode(r)
			if err != io.EOF || strings.Join(got, "|") != want {
				t.Errorf("%.60q %s: %.60q %v, want %.60q", text, name, got, err, want)
			}
		}
	}
}

// endless is a line that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestDecoderBounds(t *testing.T) {
	if _, err := decode(io.MultiReader(strings.NewReader("data: "), endless{})); !errors.Is(err, errEventTooLarge) {
		t.Errorf("a line without an end: %v", err)
	}
}

// FuzzDecoder: however the text is cut into reads, the events are the same.
func FuzzDecoder(f *testing.F) {
	f.Add("id: 1\nevent: x\ndata: a\r\ndata: b\r\n\r\n: c\n\ndata\n\n")
	f.Add("\xef\xbb\xbfdata: a\r\rid\ndata:b\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		whole, err := decode(strings.NewReader(text))
		if err != io.EOF {
			t.Fatal(err)
		}
		bytewise, err := decode(iotest.OneByteReader(strings.NewReader(text)))
		if err != io.EOF || strings.Join(whole, "|") != strings.Join(bytewise, "|") {
			t.Fatalf("%q: %q, byte by byte %q %v", text, whole, bytewise, err)
		}
		if n := strings.Count(text, "data"); len(whole) > n {
			t.Fatalf("%q: %d events of %d fields", text, len(whole), n)
		}
	})
}

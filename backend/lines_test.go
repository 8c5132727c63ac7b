package backend

import (
	"io"
	"strings"
	"testing"
)

// parts is a file whose next part comes only after it was found to end.
type parts []string

func (p *parts) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	if n := copy(b, (*p)[0]); n > 0 {
		(*p)[0] = (*p)[0][n:]
		return n, nil
	}
	*p = (*p)[1:]
	return 0, io.EOF
}

// What has been written of a line is seen in parts; one that stays unfinished
// is taken as it is. The most that is copied ends with a line.
func TestCopyLines(t *testing.T) {
	for _, c := range []struct {
		parts parts
		want  string
	}{
		{parts{"whole\n", "later\n"}, "whole\n"},
		{parts{"one\nha", "", "lf", "\nthree\n"}, "one\nhalf\n"},
		{parts{"", "later\n"}, ""},
		{parts{"no end"}, "no end"},
		{parts{"one\ntwo\nthree\nfour\n"}, "one\ntwo\nthree\n"},
	} {
		var got strings.Builder
		before := strings.Join(c.parts, "|")
		n, err := copyLines(&lineWriter{Writer: &got}, &c.parts, 10)
		if got.String() != c.want || n != int64(len(c.want)) || err != nil {
			t.Errorf("of %q: %q, %d, %v", before, got.String(), n, err)
		}
	}
}

// The line may have been begun by what was copied before.
func TestCopyLinesAfterABeginning(t *testing.T) {
	var got strings.Builder
	to := &lineWriter{Writer: &got}
	if _, err := io.WriteString(to, "ha"); err != nil {
		t.Fatal(err)
	}
	if _, err := copyLines(to, &parts{"", "lf\n"}, 10); err != nil || got.String() != "half\n" {
		t.Errorf("%q, %v", got.String(), err)
	}
}

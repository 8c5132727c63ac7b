//go:build linux

package process

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// writing makes an output whose file is open as a replica has it.
func writing(t *testing.T) (*output, *os.File) {
	t.Helper()
	o := &output{path: filepath.Join(t.TempDir(), "logs", "a-1.log")}
	file, from, err := o.open()
	if err != nil || from != 0 {
		t.Fatalf("open: %d, %v", from, err)
	}
	t.Cleanup(func() { file.Close() })
	return o, file
}

// number writes lines "from" to "to"-1.
func number(t *testing.T, file *os.File, from, to int) {
	t.Helper()
	var b bytes.Buffer
	for i := from; i < to; i++ {
		fmt.Fprintln(&b, i)
	}
	if _, err := file.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}

func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

func shorten(t *testing.T, o *output, most int64) int64 {
	t.Helper()
	cut, err := o.shorten(most)
	if err != nil || cut == 0 {
		t.Fatalf("cut %d, %v", cut, err)
	}
	return cut
}

// briefly ends a read that waits for what does not come.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func readAll(t *testing.T, o *output, tail int) string {
	t.Helper()
	r, err := o.reader(t.Context(), backend.LogOptions{Tail: tail})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Tails begin in the file, at its border, in what was cut off, and before that;
// what was cut off by an earlier process counts too.
func TestTailReachesWhatWasCutOff(t *testing.T) {
	o, file := writing(t)
	number(t, file, 0, 40_000)
	shorten(t, o, 200_000)
	number(t, file, 40_000, 60_000)
	for _, o := range []*output{o, {path: o.path}} {
		for _, n := range []int{1, 2, 10_000, 19_999, 20_000, 20_001, 30_000} {
			if got, want := readAll(t, o, n), numbered(60_000-n, 60_000); got != want {
				t.Errorf("the last %d lines are %d bytes, %.20q…; want %d, %.20q…", n, len(got), got, len(want), want)
			}
		}
		all := readAll(t, o, 0)
		if more := readAll(t, o, 1_000_000); more != all || !strings.HasSuffix(numbered(0, 60_000), "\n"+all) || len(all) < 300_000 {
			t.Errorf("all there is has %d bytes, %.20q…; a long tail %d", len(all), all, len(more))
		}
	}
	if _, err := file.WriteString("no end"); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, o, 2); got != "59999\nno end" {
		t.Errorf("the last two lines are %q", got)
	}
	shorten(t, o, 100)
	if got := readAll(t, o, 1); got != "no end" {
		t.Errorf("with an empty file the last line is %q", got)
	}
}

// A reader that does not follow ends where the output ended when it was asked.
func TestReaderEnds(t *testing.T) {
	o, file := writing(t)
	number(t, file, 0, 2000)
	r, err := o.reader(t.Context(), backend.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	head := make([]byte, 4000)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	number(t, file, 2000, 2500)
	shorten(t, o, 8000)
	number(t, file, 2500, 3000)
	rest, err := io.ReadAll(r)
	if got := string(head) + string(rest); err != nil || got != numbered(0, 2000) {
		t.Errorf("read %d bytes, %v; want the 2000 lines that there were", len(got), err)
	}
}

// TestFollowAcrossCuts has a writer that stops for nothing, a log that is cut
// again and again, and one reader from the beginning on. Lines may be lost in
// the instants of cutting; none comes twice or out of order, and the last
// comes.
func TestFollowAcrossCuts(t *testing.T) {
	const count, most = 40_000, 40_000
	o, file := writing(t)
	r, err := o.reader(briefly(t), backend.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var work sync.WaitGroup
	written := make(chan struct{})
	work.Go(func() {
		defer close(written)
		for i := range count {
			if _, err := fmt.Fprintf(file, "%d\n", i); err != nil {
				t.Error(err)
			}
			if i%100 == 0 {
				time.Sleep(3 * time.Millisecond) // so that the reader, who looks ten times a second, keeps up
			}
		}
	})
	cuts := 0
	work.Go(func() {
		for {
			cut, err := o.shorten(most)
			if err != nil {
				t.Error(err)
			}
			if cut > 0 {
				cuts++
			}
			select {
			case <-written:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	got, last := followNumbers(t, bufio.NewScanner(r), count-1)
	work.Wait()
	if last != count-1 || cuts < 3 || got < count*9/10 {
		t.Errorf("%d of %d lines came, the last is %d, over %d cuts", got, count, last, cuts)
	}
	t.Logf("%d of %d lines, %d cuts", got, count, cuts)
}

// followNumbers reads until a number comes.
func followNumbers(t *testing.T, lines *bufio.Scanner, until int) (got, last int) {
	last = -1
	for ; last < until && lines.Scan(); got++ {
		var n int
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil || n <= last {
			t.Errorf("after %d comes %q", last, lines.Text())
			return got, last
		}
		last = n
	}
	return got, last
}

// A slow reader keeps its place over one cut, and goes on with what is left
// after two.
func TestSlowReader(t *testing.T) {
	o, file := writing(t)
	number(t, file, 0, 1000)
	r, err := o.reader(briefly(t), backend.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 16)
	expect := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintln(i) {
				t.Fatalf("got %q, %v; want %d", line, err, i)
			}
		}
	}
	expect(0, 500)
	shorten(t, o, 3000)
	number(t, file, 1000, 2000)
	expect(500, 1500)
	shorten(t, o, 1000)
	number(t, file, 2000, 3000)
	shorten(t, o, 100)
	number(t, file, 3000, 3001)
	rest := bufio.NewScanner(lines)
	rest.Scan() // may be what was left of a line in the reader's own buffer
	got, last := followNumbers(t, rest, 3000)
	if last != 3000 || got < 20 || got > 30 {
		t.Errorf("%d lines came after two cuts, the last is %d; want about 20 of the last 100 bytes, and one more", got, last)
	}
}

// Somebody else may empty the file, or remove it.
func TestFollowAFileThatOthersEmpty(t *testing.T) {
	o, file := writing(t)
	number(t, file, 0, 1000)
	r, err := o.reader(briefly(t), backend.LogOptions{Tail: 1, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, want %s", lines.Text(), want)
		}
	}
	next("999")
	if err := os.Truncate(o.path, 0); err != nil {
		t.Fatal(err)
	}
	number(t, file, 777, 778)
	next("777")
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
	other, _, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	number(t, other, 8, 9)
	next("8")
}

// The last words of a start are its own, wherever they stand by then.
func TestLastWordsAcrossACut(t *testing.T) {
	o, file := writing(t)
	number(t, file, 0, 1000) // of the start before
	from := int64(len(numbered(0, 1000)))
	number(t, file, 1000, 1100)
	last := func(from int64) string {
		t.Helper()
		data, err := o.last(from, lastBytes)
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}
	if got := last(from); got != numbered(1000, 1100) {
		t.Errorf("before: %q", got)
	}
	cut := shorten(t, o, 4000)
	number(t, file, 1100, 1110)
	if got := last(from - cut); got != numbered(1000, 1110) {
		t.Errorf("after: %q", got)
	}
	if got := last(from); !strings.HasSuffix(got, numbered(1000, 1110)) { // when it was killed before it noted the cut
		t.Errorf("with a place beyond the end: %q", got)
	}
	number(t, file, 1110, 9000)
	got := last(from - cut)
	if !strings.HasSuffix(numbered(0, 9000), "\n"+got) || len(got) > lastBytes || len(got) < lastBytes-10 {
		t.Errorf("of many: %d bytes, %.20q…", len(got), got)
	}
}

func TestOldLogsAreRemoved(t *testing.T) {
	state := t.TempDir()
	b, err := Open(Options{State: state})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	now := time.Now()
	log := func(service, id string, age time.Duration) string {
		t.Helper()
		path := b.logPath("dev", service, id)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{path, backend.EarlierLog(path)} {
			if err := os.WriteFile(file, []byte("x\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, time.Time{}, now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	const day = 24 * time.Hour
	var stay, gone []string
	for i := range keptLogs {
		stay = append(stay, log("few", fmt.Sprint("f-", i), 30*day)) // no more than are kept
	}
	for i := range 50 {
		path := log("many", fmt.Sprint("m-", i), time.Duration(i)*6*time.Hour)
		if i < keptLogs || i <= 28 { // 28 × 6 h are 7 days
			stay = append(stay, path)
		} else {
			gone = append(gone, path)
		}
	}
	known := key{"dev", "m-known"}
	b.replicas[known] = newReplica(b, known)
	stay = append(stay, log("many", "m-known", 100*day))
	b.removeOldLogs(now)
	for _, path := range stay {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range gone {
		for _, file := range []string{path, backend.EarlierLog(path)} {
			if _, err := os.Stat(file); err == nil {
				t.Errorf("%s is there", file)
			}
		}
	}
	if err := b.removeLog(b.logPath("dev", "many", "m-known")); err != nil {
		t.Error(err)
	}
	if !exists(b.logPath("dev", "many", "m-known")) {
		t.Error("the log of a replica that there is was removed")
	}
	if _, err := b.Logs(t.Context(), "dev", "m-49", backend.LogOptions{}); greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("Logs of what was removed: %v", err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

package backend

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// EarlierLog is the file with what CutLog took from a log.
func EarlierLog(path string) string { return path + ".1" }

// CutLog empties a log of more than most bytes where it is, for a writer that
// has it open for appending and outlives us. Its end, about most bytes from
// the beginning of a line on, replaces what EarlierLog had. It tells how many
// bytes were taken off the log; for a log that is shorter, or missing, that is
// 0 and nothing changes.
//
// What is written in the instant between the last look and the emptying is
// lost: a few whole lines at most of a log that is written to without pause. When
// the end cannot be kept, as on a full disk, the log is emptied all the same.
func CutLog(path string, most int64) (cut int64, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= most {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	log, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	from := max(0, info.Size()-most)
	cut, err = keepEnd(log, from, most, EarlierLog(path))
	if err != nil { // of the two, what is newer is worth more
		_ = os.Remove(EarlierLog(path))
		cut, err = keepEnd(log, from, most, EarlierLog(path))
	}
	if failed := log.Truncate(0); failed != nil {
		return 0, errors.Join(err, failed)
	}
	return cut, err
}

// keepEnd copies a log from a place near its end on, and gives the place where
// the copy ends. The copy takes its name in one step.
func keepEnd(log *os.File, from, most int64, name string) (end int64, err error) {
	info, err := log.Stat()
	if err != nil {
		return 0, err
	}
	end = info.Size()
	line, err := lineAfter(log, from)
	if err != nil {
		return end, err
	}
	if line < end { // else it is all one line
		from = line
	}
	unfinished := name + ".new"
	to, err := os.OpenFile(unfinished, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return end, err
	}
	defer to.Close()
	if _, err := log.Seek(from, io.SeekStart); err != nil {
		return end, err
	}
	kept := &lineWriter{Writer: to}
	// Who writes faster than this copies is not followed for ever.
	copied, err := io.Copy(kept, io.LimitReader(log, 2*most))
	if err == nil {
		err = os.Rename(unfinished, name)
	}
	if err != nil {
		return end, errors.Join(err, os.Remove(unfinished))
	}
	late, err := copyLines(kept, log, most) // what came during all that
	return from + copied + late, err
}

// A write that crosses a page's border is seen in parts. If a log were emptied
// between them, the line's beginning would run into the next line.
const (
	lineWaits = 20
	lineWait  = time.Millisecond
	lineBytes = 64 << 10 // beyond it a line's end is not looked for
)

// copyLines copies what there is, most bytes and the rest of a line at most.
// When it ends in the middle of a line, it copies too what comes within the
// instant in which a write is completed. A line that its program leaves
// unfinished for longer is not waited for.
func copyLines(to *lineWriter, from io.Reader, most int64) (copied int64, err error) {
	copied, err = io.Copy(to, io.LimitReader(from, most))
	one := make([]byte, 1)
	for waits := 0; err == nil && to.inLine && copied < most+lineBytes; {
		var n int
		switch n, err = from.Read(one); {
		case n > 0:
			copied++
			_, err = to.Write(one)
		case errors.Is(err, io.EOF) && waits < lineWaits:
			waits++
			err = nil
			time.Sleep(lineWait)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return copied, err
}

// lineWriter knows whether what was written ends in the middle of a line.
type lineWriter struct {
	io.Writer
	inLine bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if n > 0 {
		w.inLine = p[n-1] != '\n'
	}
	return n, err
}

// lineAfter is where the first line after a place begins, or the place itself
// when that is the beginning or in a very long line.
func lineAfter(log *os.File, from int64) (int64, error) {
	if from == 0 {
		return 0, nil
	}
	block := make([]byte, lineBytes)
	n, err := log.ReadAt(block, from-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return from, err
	}
	if i := bytes.IndexByte(block[:n], '\n'); i >= 0 {
		return from + int64(i), nil
	}
	return from, nil
}

package process

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/greenlight-dev/greenlight/backend"
)

// output is what a replica wrote: its log file and, before that, what was cut
// off it. A position in it counts bytes and stays right when the file is cut;
// what was cut off before this process began has positions below 0.
type output struct {
	path   string
	broken bool // the last attempt to cut it failed; only the one who cuts looks at it

	mu  sync.RWMutex // held for writing while the file is cut or removed
	cut int64        // the position of the file's first byte
}

// outputOf is the output of a replica, one for all who read and cut it.
func (b *Backend) outputOf(path string) *output {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.outputs[path]
	if o == nil {
		o = &output{path: path}
		b.outputs[path] = o
	}
	return o
}

// open opens the file for a start to append to, and tells where its output
// begins in it.
func (o *output) open() (*os.File, int64, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if err := os.MkdirAll(filepath.Dir(o.path), 0o700); err != nil {
		return nil, 0, err
	}
	file, err := os.OpenFile(o.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// span gives the positions between which there is output. mu is held.
func (o *output) span() (begin, end int64, err error) {
	earlier, err := sizeOf(backend.EarlierLog(o.path))
	if err != nil {
		return 0, 0, err
	}
	now, err := sizeOf(o.path)
	return o.cut - earlier, o.cut + now, err
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// end is the position after the last byte that there is now.
func (o *output) end() (int64, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, end, err := o.span()
	return end, err
}

// read reads from a position on, and gives the next; n is 0 where there is
// nothing yet. What is gone before it could be read is left out.
func (o *output) read(p []byte, at int64) (n int, next int64, err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	begin, end, err := o.span()
	if err != nil {
		return 0, at, err
	}
	if at = max(at, begin); at > end {
		at = o.cut // somebody else has emptied the file
	}
	n, err = o.readAt(p, at, begin)
	return n, at + int64(n), err
}

// readAt reads from one of the two files. mu is held, begin is that of span.
func (o *output) readAt(p []byte, at, begin int64) (int, error) {
	path, from := o.path, at-o.cut
	if at < o.cut {
		path, from = backend.EarlierLog(o.path), at-begin
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	n, err := file.ReadAt(p, from)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// tail is the position where the last n lines begin, or all when n is 0.
func (o *output) tail(n int) (int64, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	begin, end, err := o.span()
	if err != nil || n <= 0 {
		return begin, err
	}
	block := make([]byte, 64<<10)
	lines := 0
	for before := end; before > begin; {
		from := max(before-int64(len(block)), begin)
		if before > o.cut { // not over the border of the two files
			from = max(from, o.cut)
		}
		part := block[:before-from]
		if _, err := o.readAt(part, from, begin); err != nil {
			return 0, err
		}
		for i := len(part) - 1; i >= 0; i-- {
			at := from + int64(i) + 1
			if part[i] != '\n' || at == end { // the end of the last line begins none
				continue
			}
			if lines++; lines == n {
				return at, nil
			}
		}
		before = from
	}
	return begin, nil
}

// last is the end of what a start wrote, at most so many bytes and from the
// beginning of a line on. from is where in the file its output begins: below 0
// for what was cut off, beyond the file's end when that was cut meanwhile.
func (o *output) last(from int64, most int) ([]byte, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	begin, end, err := o.span()
	if err != nil {
		return nil, err
	}
	first := max(o.cut+from, begin)
	if first > end {
		first = begin
	}
	at := max(first, end-int64(most))
	data := make([]byte, 0, most)
	for len(data) < most {
		n, err := o.readAt(data[len(data):most], at+int64(len(data)), begin)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		data = data[:len(data)+n]
	}
	if at > first {
		data = afterLine(data)
	}
	return data, nil
}

// shorten cuts the file when it has more than most bytes, and tells by how
// much.
func (o *output) shorten(most int64) (int64, error) {
	if size, err := sizeOf(o.path); err != nil || size <= most {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	cut, err := backend.CutLog(o.path, most)
	o.cut += cut
	return cut, err
}

package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

const (
	logFolder  = "logs"
	maxLog     = 64 << 20 // bytes; a longer file is renamed to .log.1 at the next start
	lastCount  = 20       // log lines that a failure keeps
	lastBytes  = 16 << 10 // from the end of the output, where they are looked for
	maxLine    = 500      // bytes of one of them
	followStep = 100 * time.Millisecond
)

func (b *Backend) logPath(environment, service, id string) string {
	return filepath.Join(b.options.State, logFolder, environment, service, id+".log")
}

// openLog opens a replica's output for appending and tells where this start's
// begins. The replica holds the file itself, so its output needs nobody to
// carry it; for the same reason it can be moved aside only between two starts.
func (b *Backend) openLog(spec greenlight.ReplicaSpec) (*os.File, int64, error) {
	path := b.logPath(spec.Environment, spec.Service, spec.ID)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
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

// lastLines are the last lines of a launch's output; what cannot be read is
// left out.
func (b *Backend) lastLines(rec record) []string {
	file, err := os.Open(b.logPath(rec.Spec.Environment, rec.Spec.Service, rec.Spec.ID))
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	from := max(rec.LogFrom, info.Size()-lastBytes)
	data, err := io.ReadAll(io.NewSectionReader(file, from, lastBytes))
	if err != nil {
		return nil
	}
	if from > rec.LogFrom { // in the middle of a line
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return readableLines(string(data))
}

func readableLines(data string) []string {
	var list []string
	for line := range strings.Lines(data) {
		if line = oneLine(line[:min(len(line), maxLine)]); line != "" {
			list = append(list, line)
		}
	}
	return list[max(len(list)-lastCount, 0):]
}

// Logs reads a replica's output; see backend.Backend.
func (b *Backend) Logs(ctx context.Context, environment, id string, o backend.LogOptions) (io.ReadCloser, error) {
	if err := errors.Join(backend.CheckName("environment", environment), backend.CheckName("replica id", id)); err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	paths, err := filepath.Glob(b.escapedLogPath(environment, id))
	if err != nil || len(paths) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "environment %s never had a replica %s", environment, id)
	}
	file, err := os.Open(newest(paths))
	if err != nil {
		return nil, err
	}
	if o.Tail > 0 {
		if err := seekTail(file, o.Tail); err != nil {
			file.Close()
			return nil, err
		}
	}
	if !o.Follow {
		return file, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	return &follower{ctx: ctx, cancel: cancel, file: file}, nil
}

func (b *Backend) escapedLogPath(environment, id string) string {
	return filepath.Join(escapeGlob(b.options.State), logFolder, environment, "*", id+".log")
}

// newest is the file written last: an id may have moved to another service.
func newest(paths []string) string {
	best, when := paths[0], time.Time{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(when) {
			best, when = path, info.ModTime()
		}
	}
	return best
}

// seekTail goes to the beginning of the last n lines.
func seekTail(file *os.File, n int) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	lines, last := 0, end
	for from := end; from > 0; {
		size := min(from, int64(len(block)))
		from -= size
		if _, err := file.ReadAt(block[:size], from); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i := size - 1; i >= 0; i-- {
			if block[i] != '\n' || from+i == last-1 && last == end {
				continue // the end of the last line begins none
			}
			if lines++; lines == n {
				_, err := file.Seek(from+i+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}

// follower reads a file that grows, and goes over to its successor when it was
// renamed.
type follower struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	file *os.File
}

// Read waits for output; the end of ctx or Close is the end of it.
func (f *follower) Read(p []byte) (int, error) {
	for {
		n, err := f.readNow(p)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(followStep):
		}
	}
}

// readNow reads what there is; 0 and nil is nothing yet.
func (f *follower) readNow(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return 0, io.EOF
	}
	n, err := f.file.Read(p)
	if n > 0 || err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	return 0, f.follow()
}

// follow opens the file that has the name now, if it is another one.
func (f *follower) follow() error {
	current, err := os.Stat(f.file.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // between the rename and the new file
	}
	if err != nil {
		return err
	}
	if mine, err := f.file.Stat(); err != nil || os.SameFile(mine, current) {
		return err
	}
	file, err := os.Open(f.file.Name())
	if err != nil {
		return err
	}
	f.file.Close()
	f.file = file
	return nil
}

// Close ends a read that waits.
func (f *follower) Close() error {
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}

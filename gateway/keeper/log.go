package keeper

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

const (
	maxLogBytes   = 32 << 20 // of one log; as much again is kept of what was before
	logPause      = time.Minute
	tailBytes     = 8 << 10
	tailLines     = 3
	maxNoteLength = 600
)

// boundLogs keeps the gateway's logs from filling the disk until ctx ends.
func (k *Keeper) boundLogs(ctx context.Context) {
	for sleep(ctx, logPause) {
		k.boundLogsNow()
	}
}

func (k *Keeper) boundLogsNow() {
	for _, name := range []string{logName, AccessLogName} {
		if err := boundLog(k.file(name)); err != nil {
			k.options.Log.Error("a log of the gateway cannot be bounded", "file", name, "error", err)
		}
	}
}

// boundLog moves what a log has to <path>.1 when that is too much. The gateway
// has it open for appending, so it is emptied where it is.
func boundLog(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() <= maxLogBytes {
		return nil
	}
	if err != nil {
		return err
	}
	from, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(from, max(0, info.Size()-maxLogBytes), maxLogBytes))
	return errors.Join(err, to.Close(), from.Truncate(0)) // a full disk wants it emptied all the more
}

// openLog opens the gateway's log for appending and gives the place where this
// start begins.
func openLog(path string) (file *os.File, from int64, err error) {
	if file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640); err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// lastLines gives the last lines that were written after from, in one line.
func lastLines(path string, from int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil {
		from = max(from, info.Size()-tailBytes)
	}
	data, err := io.ReadAll(io.NewSectionReader(file, from, tailBytes))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(data), "?")), "\n")
	text := strings.Join(lines[max(0, len(lines)-tailLines):], " / ")
	return text[max(0, len(text)-maxNoteLength):]
}

package keeper

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/greenlight-dev/greenlight/backend"
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
		if _, err := backend.CutLog(k.file(name), maxLogBytes); err != nil {
			k.options.Log.Error("a log of the gateway cannot be bounded", "file", name, "error", err)
		}
	}
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

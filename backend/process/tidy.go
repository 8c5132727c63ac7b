package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/greenlight-dev/greenlight/backend"
)

const (
	defaultMaxLog = 64 << 20
	logPause      = 2 * time.Second
	tidyPause     = time.Hour
	keptLogs      = 20                 // of the replicas of a service that are gone
	keptLogsFor   = 7 * 24 * time.Hour // any number of them
)

// tidyLogs keeps logs from filling the disk until ctx ends.
func (b *Backend) tidyLogs(ctx context.Context) {
	var next time.Time
	for {
		b.shortenLogs()
		if now := time.Now(); !now.Before(next) {
			b.removeOldLogs(now)
			next = now.Add(tidyPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(logPause):
		}
	}
}

// shortenLogs cuts the logs that have become too long. A replica holds its file
// itself, so that its output needs nobody to carry it; what it writes between
// two looks is what a log can be longer.
func (b *Backend) shortenLogs() {
	for _, r := range b.list("") {
		if rec := r.get(); rec.Spec.ID != "" {
			b.shortenLog(r, rec)
		}
	}
}

func (b *Backend) shortenLog(r *replica, rec record) {
	o := b.outputFor(rec.Spec)
	cut, err := o.shorten(b.options.MaxLog)
	if err != nil && !o.broken { // said once, not every time
		b.options.Log.Error("a replica's log cannot be shortened", "replica", r.id, "error", err)
	}
	o.broken = err != nil
	if cut == 0 {
		return
	}
	err = r.update(func(now *record) bool {
		now.LogFrom -= cut
		return now.Launch == rec.Launch
	})
	if err != nil {
		b.options.Log.Error("where a replica's output begins is not noted", "replica", r.id, "error", err)
	}
}

// removeOldLogs removes what replicas wrote that are gone long ago.
func (b *Backend) removeOldLogs(now time.Time) {
	folders, err := filepath.Glob(filepath.Join(escapeGlob(b.options.State), logFolder, "*", "*"))
	for _, folder := range folders {
		err = errors.Join(err, b.removeOldLogsOf(folder, now))
	}
	if err != nil {
		b.options.Log.Error("old logs cannot be removed", "error", err)
	}
}

// removeOldLogsOf does so in the folder of one service.
func (b *Backend) removeOldLogsOf(folder string, now time.Time) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var old []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), ".log") && b.find(ownerOf(folder, e.Name())) == nil {
			old = append(old, info)
		}
	}
	slices.SortFunc(old, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var errs []error
	for _, info := range old[min(len(old), keptLogs):] {
		if now.Sub(info.ModTime()) > keptLogsFor {
			errs = append(errs, b.removeLog(filepath.Join(folder, info.Name())))
		}
	}
	return errors.Join(errs...)
}

// ownerOf is the replica that a log in a service's folder is of.
func ownerOf(folder, name string) key {
	return key{filepath.Base(filepath.Dir(folder)), strings.TrimSuffix(name, ".log")}
}

// removeLog removes a log with what was cut off it, unless its replica is
// started again: who starts is known before it opens the file.
func (b *Backend) removeLog(path string) error {
	o := b.outputOf(path)
	o.mu.Lock()
	defer o.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.replicas[ownerOf(filepath.Dir(path), filepath.Base(path))] != nil {
		return nil
	}
	delete(b.outputs, path)
	var errs []error
	earlier := backend.EarlierLog(path)
	for _, file := range []string{earlier + ".new", earlier, path} { // the one that is looked for goes last
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// What clients hand in about a service, results of load tests and capacity
// plans, is files beside the store, not in it: one has up to some MiB that
// nobody searches, they would make every backup larger, and they are evidence
// that is thrown away by age, which the store's history is not. Each has its
// summary in a file of its own, so that a list does not read them all; what
// has no summary was not written to its end.
const (
	resultEnding  = ".json"
	summaryEnding = ".summary.json"
	gradesEnding  = ".grades.json" // of a plan
)

// keptFolder is where files of one kind about a service are, whether there
// are any or not.
func (p *Plane) keptFolder(kind, environment, service string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, _, err := p.findService(environment, service); err != nil {
		return "", err
	}
	return filepath.Join(p.options.State, kind, environment, service), nil
}

// newKeptID begins with the time, so that ids sort by it.
func newKeptID(now time.Time) (string, error) {
	random := make([]byte, 3)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	at := strings.Replace(now.UTC().Format("20060102-150405.000"), ".", "", 1)
	return at + "-" + hex.EncodeToString(random), nil
}

var keptID = regexp.MustCompile(`^[0-9]{8}-[0-9]{9}-[0-9a-f]{6}$`)

// keepFile keeps what was handed in with its summary and its event, and forgets
// the oldest beyond some most.
func (p *Plane) keepFile(ctx context.Context, folder, id string, summary any, result []byte, event greenlight.Event, most int) error {
	p.keeping.Lock()
	defer p.keeping.Unlock()
	if err := writeKept(folder, id, summary, result); err != nil {
		return err
	}
	if _, err := p.options.Store.Record(ctx, event); err != nil {
		return errors.Join(err, removeKept(folder, id))
	}
	if err := forgetKept(folder, most); err != nil {
		p.options.Log.Error("removing what was kept before", "folder", folder, "error", err)
	}
	p.newEvidence()
	return nil
}

func writeKept(folder, id string, summary any, result []byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(folder, id+resultEnding), result); err != nil {
		return err
	}
	return writeJSON(filepath.Join(folder, id+summaryEnding), summary)
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeWhole(path, data)
}

// writeWhole makes a file that is there whole or not at all.
func writeWhole(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}

// removeKept begins with the summary: without it, the rest is forgotten.
func removeKept(folder, id string) error {
	err := errors.Join(os.Remove(filepath.Join(folder, id+summaryEnding)), os.Remove(filepath.Join(folder, id+resultEnding)))
	if gone := os.Remove(filepath.Join(folder, id+gradesEnding)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// keptIDs are what is kept in a folder, newest first.
func keptIDs(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, entry := range entries {
		if id, ok := strings.CutSuffix(entry.Name(), summaryEnding); ok && keptID.MatchString(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids, err
}

// forgetKept removes all but the newest.
func forgetKept(folder string, keep int) error {
	ids, err := keptIDs(folder)
	if err != nil || len(ids) <= keep {
		return err
	}
	for _, id := range ids[keep:] {
		err = errors.Join(err, removeKept(folder, id))
	}
	return err
}

// listKept reads the summaries of a folder, newest first, at most limit; 0 is
// all.
func listKept[Summary any](folder string, limit int) ([]Summary, error) {
	ids, err := keptIDs(folder)
	if err != nil {
		return nil, err
	}
	if limit > 0 && len(ids) > limit {
		ids = ids[:limit]
	}
	list := make([]Summary, 0, len(ids))
	for _, id := range ids {
		var one Summary
		err := readJSON(filepath.Join(folder, id+summaryEnding), &one)
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// readKept reads a summary and what it is of; fs.ErrNotExist where there is
// none of this id, whatever the id is.
func readKept(folder, id string, summary any) (result []byte, err error) {
	if !keptID.MatchString(id) {
		return nil, fs.ErrNotExist
	}
	if err := readJSON(filepath.Join(folder, id+summaryEnding), summary); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(folder, id+resultEnding))
}

func readJSON(path string, to any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, to); err != nil {
		return greenlight.Errorf(greenlight.CodeInternal, "%s cannot be read: %w", path, err)
	}
	return nil
}

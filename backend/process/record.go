package process

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// Under the state folder: records by environment, and those set aside.
const (
	recordFolder = "replicas"
	brokenFolder = "broken.d" // no environment can have this name
	maxRecord    = 4 << 20    // bytes; a longer file is no record
)

// record is what has to outlive the control plane, as JSON. It holds names of
// secrets, never their values.
type record struct {
	Version  int                     `json:"version"`
	Spec     greenlight.ReplicaSpec  `json:"spec"`
	Launch   string                  `json:"launch"` // names the last start, in its environment
	Leader   leader                  `json:"leader"` // zero when nothing runs
	Port     int                     `json:"port"`
	Cgroups  []string                `json:"cgroups,omitempty"` // folders
	LogFrom  int64                   `json:"log_from"`          // where in the log the last start's output begins; below 0 in what was cut off
	State    greenlight.ReplicaState `json:"state"`
	Reason   string                  `json:"reason,omitempty"`
	Since    time.Time               `json:"since"`
	Started  time.Time               `json:"started"`
	ReadyAt  time.Time               `json:"ready_at,omitzero"` // of the last start; zero when it never was
	Restarts int                     `json:"restarts"`
	// Failures in a row; see backend.Backoff.
	Failures  int       `json:"failures"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

const recordVersion = 1

func recordPath(state string, k key) string {
	return filepath.Join(state, recordFolder, k.environment, k.id+".json")
}

// save writes the record whole or not at all. It is not synced: after a loss of
// power no process is left that it could speak of.
func (rec record) save(state string) error {
	rec.Version = recordVersion
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	path := recordPath(state, key{rec.Spec.Environment, rec.Spec.ID})
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (rec record) remove(state string, k key) error {
	err := os.Remove(recordPath(state, k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// loadRecords reads all records. One that cannot be read is moved to the broken
// ones and handed to broken; it stops nothing.
func loadRecords(state string, broken func(path string, err error)) ([]record, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(state), recordFolder, "*", "*.json"))
	if err != nil {
		return nil, err
	}
	var list []record
	for _, path := range paths {
		if filepath.Base(filepath.Dir(path)) == brokenFolder {
			continue
		}
		rec, err := loadRecord(path)
		if err != nil {
			broken(path, errors.Join(err, setAside(state, path)))
			continue
		}
		list = append(list, rec)
	}
	return list, nil
}

// setAside moves a file out of the way, for a person to look at.
func setAside(state, path string) error {
	folder := filepath.Join(state, recordFolder, brokenFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	name := fmt.Sprintf("%s.%s.%d.json", filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), ".json"), time.Now().UnixNano())
	return os.Rename(path, filepath.Join(folder, name))
}

func loadRecord(path string) (record, error) {
	var rec record
	info, err := os.Lstat(path)
	if err != nil {
		return rec, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxRecord {
		return rec, fmt.Errorf("no regular file of at most %d bytes", maxRecord)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, err
	}
	return rec, rec.check(path)
}

// check refuses a record that could make us signal or delete what is not ours.
func (rec record) check(path string) error {
	if rec.Version != recordVersion {
		return fmt.Errorf("version %d, want %d", rec.Version, recordVersion)
	}
	if _, err := backend.Complete(rec.Spec); err != nil {
		return err
	}
	if filepath.Base(path) != rec.Spec.ID+".json" || filepath.Base(filepath.Dir(path)) != rec.Spec.Environment {
		return fmt.Errorf("it speaks of %s in %s", rec.Spec.ID, rec.Spec.Environment)
	}
	if rec.Leader != (leader{}) && (rec.Leader.PID <= 1 || rec.Leader.Boot == "" || !launchName.MatchString(rec.Launch)) {
		return fmt.Errorf("no process can be %+v", rec.Leader)
	}
	if rec.Port < 0 || rec.Port > 65535 || rec.Restarts < 0 || rec.Failures < 0 {
		return errors.New("a number is out of its range")
	}
	switch rec.State {
	case greenlight.ReplicaStarting, greenlight.ReplicaReady, greenlight.ReplicaUnready,
		greenlight.ReplicaStopping, greenlight.ReplicaFailed, greenlight.ReplicaCrashing:
		return nil
	}
	return fmt.Errorf("unknown state %q", rec.State)
}

// launchName is the form of instance.random, the name of a launch.
var launchName = regexp.MustCompile(`^[A-Z2-7]{26}\.[A-Z2-7]{26}$`)

func newLaunch(instance string) string { return instance + "." + rand.Text() }

// readInstance gives the state folder's name for itself, made at random the
// first time: processes that carry it are this state's and nobody else's.
func readInstance(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil && launchName.MatchString(string(data)+"."+string(data)) {
		return string(data), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	instance := rand.Text()
	if err := os.WriteFile(path+".new", []byte(instance), 0o600); err != nil {
		return "", err
	}
	return instance, os.Rename(path+".new", path)
}

// escapeGlob quotes what filepath.Glob would take for a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Package system brings a system up in a folder of its own, through the
// program as a user has it, for benchmarks to measure and to shake.
package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/examples"
)

// Row is a request body with one row for the model.
const Row = `{"rows":[{"bill_length_mm":46.5,"bill_depth_mm":13.5,"flipper_length_mm":210,"body_mass_g":4550,"island":"Biscoe","sex":"female"}]}`

// System is a folder with the penguins model and a description.
type System struct {
	binary, dir string
}

// New makes the folder; End removes it.
func New(binary string) (*System, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "greenlight-bench")
	if err != nil {
		return nil, err
	}
	s := &System{binary, dir}
	files, err := examples.Files("penguins")
	for name, data := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// Describe writes the description.
func (s *System) Describe(text string) error {
	return os.WriteFile(filepath.Join(s.dir, "greenlight.yaml"), []byte(text), 0o644)
}

// Command is a call of the program in the folder.
func (s *System) Command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.binary, args...)
	c.Dir = s.dir
	return c
}

// Up applies the description, starting the control plane where none runs, and
// returns when all is ready.
func (s *System) Up(ctx context.Context) error {
	out, err := s.Command(ctx, "up", "-d", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0").CombinedOutput()
	if err != nil {
		return fmt.Errorf("greenlight up: %w\n%s", err, out)
	}
	return nil
}

// Status is what greenlight status says.
func (s *System) Status(ctx context.Context) (control.Status, error) {
	var status control.Status
	out, err := s.Command(ctx, "status", "--json").Output()
	if err != nil {
		return status, fmt.Errorf("greenlight status: %w", err)
	}
	return status, json.Unmarshal(out, &status)
}

// Down stops everything and forgets what it kept.
func (s *System) Down() error {
	out, err := s.Command(context.Background(), "down", "--yes").CombinedOutput()
	if err != nil {
		return fmt.Errorf("greenlight down: %w\n%s", err, out)
	}
	return os.RemoveAll(filepath.Join(s.dir, ".greenlight"))
}

// End is Down, and removes the folder.
func (s *System) End() error { return errors.Join(s.Down(), os.RemoveAll(s.dir)) }

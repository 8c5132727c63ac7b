//go:build linux

package process_test

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/backendtest"
	"github.com/greenlight-dev/greenlight/backend/process"
)

// The test binary is the replica too: "replica" and a behaviour as arguments.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "replica" {
		backendtest.Program(os.Args[2])
	}
	if len(os.Args) == 3 && os.Args[1] == "controlplane" {
		controlPlane(os.Args[2])
	}
	goleak.VerifyTestMain(m)
}

var shortBackoff = backend.Backoff{First: 300 * time.Millisecond, Max: time.Second}

func command(b backendtest.Behaviour) []string {
	return []string{os.Args[0], "replica", b.Encode()}
}

func openAt(t *testing.T, state string, change ...func(*process.Options)) *process.Backend {
	t.Helper()
	o := process.Options{State: state, Backoff: shortBackoff, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, c := range change {
		c(&o)
	}
	b, err := process.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stopAll ends what a test left and closes the backend.
func stopAll(t *testing.T, b *process.Backend) {
	t.Helper()
	list, err := b.Observe(context.Background(), "")
	if err != nil {
		t.Error(err)
	}
	for _, r := range list {
		if r.PID != 0 {
			_ = syscall.Kill(-r.PID, syscall.SIGKILL)
		}
		if err := b.Stop(context.Background(), r.Environment, r.ID); err != nil {
			t.Error(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func alive(r greenlight.Replica) bool { return runs(r.PID) }

func TestContract(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
		state := t.TempDir()
		b := openAt(t, state)
		closeAll := func() { stopAll(t, b) }
		t.Cleanup(func() { closeAll() })
		return &backendtest.Harness{
			Backend: b,
			Reopen: func(t *testing.T) backend.Backend {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				b = openAt(t, state)
				return b
			},
			Command: command,
			Kill: func(t *testing.T, r greenlight.Replica) {
				if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
					t.Error(err)
				}
			},
			Alive: alive,
		}
	})
}

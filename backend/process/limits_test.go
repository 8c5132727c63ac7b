//go:build linux

package process_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/backendtest"
)

// hungry takes 200 MiB in dash or bash.
const hungry = `x=$(head -c 200000000 /dev/zero | tr '\0' x); echo had ${#x}; exit 3`

// Where the machine has control groups, a replica that takes more memory than
// it may is killed, and the reason says so; elsewhere Limits says why not, and
// the replica goes its way.
func TestMemoryLimit(t *testing.T) {
	b, _ := open(t)
	s := spec("a-1", backendtest.Behaviour{})
	s.Command = []string{"sh", "-c", hungry}
	s.Resources = greenlight.Resources{MemoryBytes: 32 << 20, MilliCPU: 1500}
	_, err := b.Start(t.Context(), s)
	var failure *backend.StartError
	if !errors.As(err, &failure) {
		t.Fatalf("Start = %v", err)
	}
	if strings.HasPrefix(b.Limits(), "not limited: ") {
		if !strings.Contains(failure.Reason, "exit status 3") {
			t.Errorf("without limits (%s) it ended: %v", b.Limits(), failure)
		}
		return
	}
	if !strings.Contains(failure.Reason, "32 MiB") {
		t.Errorf("with %s it ended: %v", b.Limits(), failure)
	}
}

// A replica that computes without end gets the tenth of a core that it may have.
func TestCPULimit(t *testing.T) {
	b, _ := open(t)
	s := spec("a-1", backendtest.Behaviour{})
	s.Command, s.Ready = []string{"sh", "-c", "while :; do :; done"}, greenlight.Probe{}
	s.Resources.MilliCPU = 100
	r := start(t, b, s)
	begin, before := time.Now(), cpuTime(t, r.PID)
	time.Sleep(time.Second)
	used, took := cpuTime(t, r.PID)-before, time.Since(begin)
	if strings.HasPrefix(b.Limits(), "not limited: ") {
		if used == 0 {
			t.Errorf("without limits (%s) it computed nothing", b.Limits())
		}
		return
	}
	if share := used.Seconds() / took.Seconds(); share > 0.2 {
		t.Errorf("it had %.2f of a core in %s, with %s", share, took, b.Limits())
	}
}

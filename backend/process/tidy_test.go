//go:build linux

package process_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/backendtest"
	"github.com/greenlight-dev/greenlight/backend/process"
)

// TestChattyReplica has a replica write and write: its log stays bounded while
// it runs, and while a new control plane adopts it, and what it said last is
// still known when it ends.
func TestChattyReplica(t *testing.T) {
	const most = 100_000
	bounded := func(o *process.Options) { o.MaxLog = most }
	state := t.TempDir()
	b := openAt(t, state, bounded)
	defer func() { stopAll(t, b) }()
	s := spec("a-1", backendtest.Behaviour{})
	s.Ready.Path = ""
	s.Command = []string{"sh", "-c", `i=0; while :; do i=$((i+1)); echo "line $i of a replica that talks without end"; [ $((i % 2000)) != 0 ] || sleep 0.05; done`}
	start(t, b, s)
	path := filepath.Join(state, "logs", "test", "svc", "a-1.log")
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	eventually(t, func() bool { return size(path) > 2*most })
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- b.Run(ctx, func(backend.Change) {}) }()
		for range 2 { // the first look is at once, the next after a pause
			was := size(path)
			eventually(t, func() bool { now := size(path); less := now < was; was = now; return less })
		}
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if kept := size(backend.EarlierLog(path)); kept == 0 || kept > 3*most {
			t.Errorf("%d bytes are kept of what was cut off, the bound is %d", kept, most)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = openAt(t, state, bounded)
	}
	noted(t, state)
	tail, err := b.Logs(t.Context(), "test", "a-1", backend.LogOptions{Tail: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	data, err := io.ReadAll(tail)
	if n := strings.Count(string(data), "that talks"); err != nil || n < 2 || n > 3 {
		t.Errorf("the last 3 lines are %q, %v", data, err)
	}
}

// noted checks that the record follows what was cut off.
func noted(t *testing.T, state string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(state, "replicas", "test", "a-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		LogFrom int64 `json:"log_from"`
	}
	if err := json.Unmarshal(data, &record); err != nil || record.LogFrom >= 0 {
		t.Errorf("its output begins at %d, %v; want before what is there", record.LogFrom, err)
	}
}

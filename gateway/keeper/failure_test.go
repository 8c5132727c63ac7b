package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
)

// A gateway that hangs is killed by Stop, and replaced by who finds it.
func TestHungGateway(t *testing.T) {
	first := run(t, "").serving()
	before := first.Status()
	first.drop()
	halt(t, before.PID)
	second := run(t, first.state).serving()
	after := second.Status()
	if alive(before.PID) || after.PID == before.PID || after.Address != before.Address {
		t.Errorf("was %+v, is %+v", before, after)
	}
	halt(t, after.PID)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := errors.Join(second.Stop(ctx), <-second.ended); err != nil {
		t.Error(err)
	}
	if alive(after.PID) {
		t.Error("it is alive")
	}
}

func TestGatewayThatHangsIsReplaced(t *testing.T) {
	k := run(t, "").serving()
	before := k.Status()
	halt(t, before.PID)
	began := time.Now()
	eventually(t, "another gateway serves", func() bool { s := k.Status(); return s.PID != 0 && s.PID != before.PID })
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("it was given up after %s", took)
	}
	after := k.Status()
	if after.Address != before.Address || after.Instead != "it did not answer for 5s and was killed" || after.Note != "" {
		t.Errorf("%+v", after)
	}
	if alive(before.PID) || zombie(before.PID) {
		t.Error("the one that hung is still there")
	}
}

// halt makes every thread of a process stand still.
func halt(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it stands still", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, thread := range threads {
			stat, readErr := os.ReadFile(thread)
			_, rest, _ := strings.Cut(string(stat), ") ")
			if err = errors.Join(err, readErr); err != nil || !strings.HasPrefix(rest, "T") {
				return false
			}
		}
		return len(threads) > 0
	})
}

func TestUnreadableConfigurationIsSetAside(t *testing.T) {
	state := stateFolder(t)
	file := filepath.Join(state, "gateway.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, state).serving()
	if kept, err := os.ReadFile(file + ".broken"); err != nil || string(kept) != "{" {
		t.Errorf("%q, %v", kept, err)
	}
}

func TestProgramThatDoesNotStart(t *testing.T) {
	k := run(t, "", func(o *keeper.Options) { o.Program = script(t, "echo first; echo the licence has expired >&2; exit 3") })
	err := <-k.ended
	if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "exit status 3; it said: first / the licence has expired") {
		t.Errorf("%v", err)
	}
}

// A gateway that no longer starts is tried again with pauses, and Status says
// what it said last.
func TestBackOffWhenItFailsRepeatedly(t *testing.T) {
	link := filepath.Join(stateFolder(t), "greenlight")
	if err := os.Symlink(program(t), link); err != nil {
		t.Fatal(err)
	}
	k := run(t, "", func(o *keeper.Options) { o.Program = link }).serving()
	attempts := filepath.Join(k.state, "attempts")
	broken := script(t, "echo x >>"+attempts+"; echo the disk is full; exit 1")
	if err := errors.Join(os.Remove(link), os.Symlink(broken, link)); err != nil {
		t.Fatal(err)
	}
	kill(t, k.Status().PID)
	eventually(t, "status says why", func() bool { return strings.Contains(k.Status().Note, "the disk is full") })
	time.Sleep(500 * time.Millisecond)
	tried, err := os.ReadFile(attempts)
	if n := len(tried) / 2; err != nil || n < 3 || n > 8 {
		t.Errorf("started %d times in half a second, %v", n, err)
	}
	if err := errors.Join(os.Remove(link), os.Symlink(program(t), link)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it serves again", func() bool { s := k.Status(); return s.PID != 0 && s.Note == "" })
}

func script(t *testing.T, text string) string {
	path := filepath.Join(stateFolder(t), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLogIsBounded(t *testing.T) {
	state := stateFolder(t)
	for _, name := range []string{"gateway.log", keeper.AccessLogName} {
		file := filepath.Join(state, name)
		if err := errors.Join(os.WriteFile(file, []byte("old\n"), 0o600), os.Truncate(file, 40<<20)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, state).serving()
	for _, name := range []string{"gateway.log", keeper.AccessLogName} {
		file := filepath.Join(state, name)
		now, err := os.Stat(file)
		before, err1 := os.Stat(file + ".1")
		if err := errors.Join(err, err1); err != nil || now.Size() > 1<<20 || before.Size() != 32<<20 {
			t.Errorf("%s: %v, %v, %v", name, now, before, err)
		}
	}
}

func TestSocketPath(t *testing.T) {
	short := stateFolder(t)
	if path, err := keeper.SocketPath(short, "control.sock"); err != nil || path != filepath.Join(short, "control.sock") {
		t.Errorf("%s, %v", path, err)
	}
	if _, err := keeper.SocketPath(filepath.Join(short, "none"), "x"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("%v", err)
	}
	t.Setenv("TMPDIR", short)
	long := filepath.Join(short, strings.Repeat("long/", 30))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	path, err := keeper.SocketPath(long, "control.sock")
	if err != nil || len(path) > 103 || !strings.HasPrefix(path, short+"/greenlight-") {
		t.Fatalf("%s, %v", path, err)
	}
	if again, err := keeper.SocketPath(long+"/../long", "control.sock"); err != nil || again != path {
		t.Errorf("%s, then %s, %v", path, again, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.SocketPath(long, "control.sock"); greenlight.CodeOf(err) != greenlight.CodeUnavailable {
		t.Errorf("a folder that others can write to: %v", err)
	}
	t.Run("a gateway behind it", func(t *testing.T) {
		if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		run(t, long).serving().apply(upstream(t))
	})
}

package keeper_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
)

func TestStartsAGatewayOfItsOwn(t *testing.T) {
	t.Setenv("SHOP_API_KEY", "hunter2")
	k := run(t, "").serving()
	s := k.Status()
	if s.PID == 0 || s.Version != version || s.Note != "" || s.StartedAt.IsZero() || strings.HasSuffix(s.Address, ":0") {
		t.Errorf("%+v", s)
	}
	if pgid, err := syscall.Getpgid(s.PID); err != nil || pgid != s.PID {
		t.Errorf("process group %d of process %d, %v: it is not its own", pgid, s.PID, err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.PID))
	if err != nil || bytes.Contains(environ, []byte("hunter2")) {
		t.Errorf("the gateway was given a secret of the control plane's environment (%v)", err)
	}
	k.apply(upstream(t))
	if err := get(s.Address); err != nil {
		t.Error(err)
	}
	select {
	case <-k.Restarted():
	default:
		t.Error("nothing said that a gateway began to serve")
	}
}

func TestGatewayOutlivesTheKeeperAndIsAdopted(t *testing.T) {
	first := run(t, "").serving()
	before := first.Status()
	first.apply(upstream(t))
	first.drop()
	if err := get(before.Address); err != nil {
		t.Errorf("without a keeper: %v", err)
	}
	second := run(t, first.state).serving()
	if after := second.Status(); after.PID != before.PID || after.Address != before.Address || after.Version != version {
		t.Errorf("was %+v, is %+v", before, after)
	}
	// An adopted process is no child, and its death is seen all the same.
	kill(t, before.PID)
	eventually(t, "another serves", func() bool { s := second.Status(); return s.PID != 0 && s.PID != before.PID })
	if err := get(before.Address); err != nil {
		t.Error(err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// After a kill it is back within a second, on the same port and with the
// configuration that it had, also when kills follow close on each other.
func TestKilledGatewayIsBackAtOnce(t *testing.T) {
	k := run(t, "").serving()
	k.apply(upstream(t))
	address := k.Status().Address
	var longest time.Duration
	for range 6 {
		pid := k.Status().PID
		kill(t, pid)
		begun := time.Now()
		eventually(t, "it answers again", func() bool { return !alive(pid) && get(address) == nil })
		longest = max(longest, time.Since(begun))
		eventually(t, "status tells", func() bool {
			s := k.Status()
			return s.PID != 0 && s.PID != pid && s.Address == address && s.Note == ""
		})
		if zombie(pid) {
			t.Errorf("process %d was not waited for", pid)
		}
	}
	t.Logf("back after %v at most", longest)
	if longest > time.Second {
		t.Errorf("it took %v", longest)
	}
}

func TestPortIsKeptWhileNobodyKeepsTheGateway(t *testing.T) {
	first := run(t, "").serving()
	before := first.Status()
	first.drop()
	kill(t, before.PID)
	eventually(t, "it is dead", func() bool { return !alive(before.PID) })
	second := run(t, first.state).serving()
	if after := second.Status(); after.PID == before.PID || after.Address != before.Address {
		t.Errorf("was %+v, is %+v", before, after)
	}
}

func TestUpgradeLosesNothing(t *testing.T) {
	k := run(t, "").serving()
	k.apply(upstream(t))
	load := startLoad(k.Status().Address)
	defer load.end()
	for range 3 {
		before := k.Status()
		time.Sleep(100 * time.Millisecond)
		if err := k.Upgrade(context.Background()); err != nil {
			t.Fatal(err)
		}
		if after := k.Status(); after.PID == before.PID || after.Address != before.Address {
			t.Errorf("was %+v, is %+v", before, after)
		}
		eventually(t, "the predecessor has ended and was waited for", func() bool { return !alive(before.PID) && !zombie(before.PID) })
	}
	load.end()
	t.Logf("%d requests over three upgrades, %d failed", load.sent.Load(), load.failed.Load())
	if load.sent.Load() == 0 || load.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed; the first: %v", load.failed.Load(), load.sent.Load(), load.first.Load())
	}
	// A successor is watched as its predecessor was.
	pid := k.Status().PID
	kill(t, pid)
	eventually(t, "another serves", func() bool { s := k.Status(); return s.PID != 0 && s.PID != pid })
}

func TestAnotherVersionIsUpgradedAtAdoption(t *testing.T) {
	first := run(t, "").serving()
	first.apply(upstream(t))
	before := first.Status()
	first.drop()
	load := startLoad(before.Address)
	defer load.end()
	second := run(t, first.state, func(o *keeper.Options) { o.Version = "v0.0.2" }).serving()
	eventually(t, "it was upgraded", func() bool { return second.Status().PID != before.PID })
	load.end()
	if load.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed; the first: %v", load.failed.Load(), load.sent.Load(), load.first.Load())
	}
	second.drop()

	// From another program it cannot take over: it is replaced.
	moved := filepath.Join(stateFolder(t), "greenlight")
	if err := os.Link(program(t), moved); err != nil {
		t.Fatal(err)
	}
	before = second.Status()
	third := run(t, first.state, func(o *keeper.Options) { o.Version, o.Program = "v0.0.2", moved }).serving()
	eventually(t, "the other program serves", func() bool {
		s := third.Status()
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.PID))
		return s.PID != before.PID && exe == moved && s.Address == before.Address && get(s.Address) == nil
	})
}

func TestAnotherAddressIsTakenUp(t *testing.T) {
	first := run(t, "").serving()
	first.apply(upstream(t))
	before := first.Status()
	first.drop()
	wanted := freeAddress(t)
	second := run(t, first.state, func(o *keeper.Options) { o.Listen = wanted }).serving()
	eventually(t, "it serves there", func() bool { return second.Status().Address == wanted && get(wanted) == nil })
	if !strings.Contains(second.log.String(), before.Address+" and is to on "+wanted) {
		t.Errorf("the log does not say why:\n%s", second.log)
	}
	eventually(t, "the first has ended", func() bool { return !alive(before.PID) })
	second.drop()
	third := run(t, first.state, func(o *keeper.Options) { o.Public = true }).serving()
	eventually(t, "it is public now", func() bool {
		return strings.Contains(third.log.String(), "it was not public and is to be") && third.Status().PID != second.Status().PID
	})
}

func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestAddressOfSomebodyElse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	address := ln.Addr().String()
	k := run(t, "", func(o *keeper.Options) { o.Listen = address })
	err = <-k.ended
	if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "--gateway") {
		t.Errorf("%v", err)
	}
	if s := k.Status(); s.PID != 0 || s.Note != err.Error() {
		t.Errorf("%+v", s)
	}
	if left := processesOf(t, k.state); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	k := run(t, "").serving()
	k.apply(upstream(t))
	if err := k.Upgrade(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.stop()
	if left := processesOf(t, k.state); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	for _, name := range []string{"gateway.json", "gateway.json.process", "gateway.sock"} {
		if _, err := os.Stat(filepath.Join(k.state, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if s := k.Status(); s.PID != 0 {
		t.Errorf("%+v", s)
	}
}

// A gateway that hands over by itself has not died, and nobody is told so.
func TestHandOverThatTheKeeperDidNotAskFor(t *testing.T) {
	k := run(t, "").serving()
	k.apply(upstream(t))
	for range 3 {
		before := k.Status()
		if err := syscall.Kill(before.PID, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the successor is kept", func() bool {
			s := k.Status()
			if s.PID == 0 || s.Note != "" {
				t.Fatalf("%+v", s)
			}
			return s.PID != before.PID
		})
		if after := k.Status(); after.Address != before.Address || after.Instead != "it was upgraded" {
			t.Errorf("was %+v, is %+v", before, after)
		}
		if err := get(before.Address); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(k.log.String(), "the gateway is gone") {
		t.Error("the log tells of a death")
	}
}

package observe_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
)

// child is a replica's process: "burn" keeps a core busy, "fork" starts one
// that does, "sleep" does nothing; all end with their standard input.
func child(what string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	switch what {
	case "burn":
		for n := uint64(1); n != 0; n += 2 {
		}
	case "hold":
		memory := make([]byte, 64<<20)
		for i := 0; i < len(memory); i += 4096 {
			memory[i] = 1
		}
		defer fmt.Fprintln(os.Stderr, len(memory))
	case "fork":
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), childVariable+"=burn")
		command.Stdin = os.Stdin
		_ = command.Run()
	}
	select {}
}

func startChild(t *testing.T, what string) greenlight.Replica {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+what)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
	})
	return greenlight.Replica{ID: what + "-1", Environment: "dev", Service: what, PID: command.Process.Pid, State: greenlight.ReplicaReady}
}

func TestUsageOfProcesses(t *testing.T) {
	replicas := []greenlight.Replica{startChild(t, "burn"), startChild(t, "sleep"), startChild(t, "fork"), startChild(t, "hold")}
	s := startSampler(t, observe.Options{
		Gateway:  metrics(func() ([]byte, error) { return nil, nil }),
		Replicas: func(context.Context) ([]greenlight.Replica, error) { return replicas, nil },
		Interval: 300 * time.Millisecond,
	})
	// other tests run beside: a core is not always there
	await(t, s, "a busy process", func() bool { return s.Latest()["dev/burn"].CPU > .3 })
	await(t, s, "a busy child process", func() bool { return s.Replica("dev", "fork-1").CPU > .3 })
	await(t, s, "memory", func() bool { return s.Replica("dev", "hold-1").Memory > 64<<20 })
	for _, r := range replicas {
		if got := s.Replica("dev", r.ID); got.CPU > 2 || got.Memory < 1<<20 || got.Memory > 512<<20 {
			t.Errorf("%s: %+v", r.ID, got)
		}
	}
	if got := s.Replica("dev", "sleep-1"); got.CPU > .1 {
		t.Errorf("a process that does nothing: %+v", got)
	}
	if got := s.Replica("dev", "nobody"); got != (observe.ReplicaSample{}) {
		t.Errorf("nobody: %+v", got)
	}
}

const stat = "4242 (gunicorn: w) (1)) S 17 4242 4200 34816 4242 4194304 5000 100 0 0 150 50 30 20 20 0 4 0 123456 250000000 8000 18446744073709551615 1 1 0 0\n"

func TestParseStat(t *testing.T) {
	parent, group, session, cpu, pages, err := observe.ParseStat([]byte(stat))
	if err != nil || parent != 17 || group != 4242 || session != 4200 || cpu != 2500*time.Millisecond || pages != 8000 {
		t.Error(parent, group, session, cpu, pages, err)
	}
	if _, _, _, _, _, err := observe.ParseStat([]byte("4242 (short) S 17")); err == nil {
		t.Error("half a line is accepted")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(stat))
	f.Add([]byte(") "))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, _, _, pages, err := observe.ParseStat(data); err == nil && pages < 0 {
			t.Errorf("%d pages", pages)
		}
	})
}

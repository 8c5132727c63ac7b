//go:build linux

package process_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/backendtest"
	"github.com/greenlight-dev/greenlight/backend/process"
)

// marked gives a spec whose processes, all of them, can be found.
func marked(t *testing.T, id string, b backendtest.Behaviour) (greenlight.ReplicaSpec, string) {
	s := spec(id, b)
	mark := fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano())
	s.Env = map[string]string{"MARK": mark}
	s.StopGrace = 300 * time.Millisecond
	return s, "MARK=" + mark
}

func noneCarries(t *testing.T, mark string) {
	t.Helper()
	if left := carriers(mark); len(left) != 0 {
		t.Errorf("processes of the replica are left: %q", left)
	}
}

func observeOne(t *testing.T, b *process.Backend) greenlight.Replica {
	t.Helper()
	list, err := b.Observe(t.Context(), "test")
	if err != nil || len(list) != 1 {
		t.Fatalf("Observe = %+v, %v; want one replica", list, err)
	}
	return list[0]
}

func TestStopLeavesNoChild(t *testing.T) {
	for _, detach := range []bool{false, true} {
		t.Run(fmt.Sprintf("detached %t", detach), func(t *testing.T) {
			b, _ := open(t)
			s, mark := marked(t, "a-1", backendtest.Behaviour{Children: 3, Detach: detach})
			start(t, b, s)
			if n := len(carriers(mark)); n != 4 {
				t.Fatalf("%d processes run, want a leader and three children", n)
			}
			if err := b.Stop(t.Context(), "test", "a-1"); err != nil {
				t.Fatal(err)
			}
			noneCarries(t, mark)
		})
	}
}

func TestDeathLeavesNoChild(t *testing.T) {
	for _, detach := range []bool{false, true} {
		t.Run(fmt.Sprintf("detached %t", detach), func(t *testing.T) {
			b, _ := open(t)
			s, mark := marked(t, "a-1", backendtest.Behaviour{Children: 3, Detach: detach})
			r := start(t, b, s)
			if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return observeOne(t, b).State == greenlight.ReplicaFailed })
			noneCarries(t, mark)
			if reason := observeOne(t, b).Reason; !strings.Contains(reason, "SIGKILL") {
				t.Errorf("reason %q, want the signal", reason)
			}
		})
	}
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
	}
}

// A shell that leads ends at once when its group is asked to; the server behind
// it must have its grace.
func TestStopWaitsForTheServerBehindAShell(t *testing.T) {
	b, _ := open(t)
	s, mark := marked(t, "a-1", backendtest.Behaviour{StopAfter: 300 * time.Millisecond})
	s.StopGrace = 20 * time.Second
	s.Command = append([]string{"sh", "-c", `"$@" & wait`, "sh"}, s.Command...)
	start(t, b, s)
	begin := time.Now()
	if err := b.Stop(t.Context(), "test", "a-1"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("Stop took %s", took)
	}
	if log := readLog(t, b, "a-1"); log != "bye\n" {
		t.Errorf("the server was killed; its log is %q", log)
	}
	noneCarries(t, mark)
}

// A child that wiped its environment out is found in the leader's session.
func TestDeathUnseenLeavesNoChildWithoutEnvironment(t *testing.T) {
	state := t.TempDir()
	b := openAt(t, state)
	s := spec("a-1", backendtest.Behaviour{})
	s.Command = append([]string{"sh", "-c", `env -i /bin/sleep 120 & echo $!; exec "$@"`, "sh"}, s.Command...)
	r := start(t, b, s)
	child, err := strconv.Atoi(strings.TrimSpace(readLog(t, b, "a-1")))
	if err != nil || !runs(child) {
		t.Fatalf("no child: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b = openAt(t, state)
	defer stopAll(t, b)
	eventually(t, func() bool { return observeOne(t, b).State == greenlight.ReplicaFailed })
	eventually(t, func() bool { return !runs(child) })
}

// controlPlane is a control plane that the test kills: it starts the replicas
// of specs.json and says so.
func controlPlane(state string) {
	err := func() error {
		data, err := os.ReadFile(filepath.Join(state, "specs.json"))
		if err != nil {
			return err
		}
		var specs []greenlight.ReplicaSpec
		if err := json.Unmarshal(data, &specs); err != nil {
			return err
		}
		b, err := process.Open(process.Options{State: state})
		if err != nil {
			return err
		}
		for _, s := range specs {
			go func() {
				if _, err := b.Start(context.Background(), s); err != nil {
					fmt.Println("error", err)
				}
				fmt.Println("started", s.ID)
			}()
		}
		time.Sleep(time.Minute)
		return nil
	}()
	fmt.Println("end", err)
	os.Exit(1)
}

// killedControlPlane runs a control plane until it has said n lines, and kills
// it.
func killedControlPlane(t *testing.T, state string, n int, specs ...greenlight.ReplicaSpec) {
	t.Helper()
	data, err := json.Marshal(specs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "specs.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "controlplane", state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(out); n > 0 && scanner.Scan(); n-- {
		if line := scanner.Text(); !strings.HasPrefix(line, "started ") {
			t.Errorf("the control plane says %q", line)
		}
	}
	eventually(t, func() bool { return launched(state) == len(specs) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as asked
}

func records(state string) []string {
	list, _ := filepath.Glob(filepath.Join(state, "replicas", "test", "*.json"))
	return list
}

// launched counts the records that have a process.
func launched(state string) (n int) {
	for _, path := range records(state) {
		data, _ := os.ReadFile(path)
		var rec struct {
			Leader struct {
				PID int `json:"pid"`
			} `json:"leader"`
		}
		if json.Unmarshal(data, &rec) == nil && rec.Leader.PID != 0 {
			n++
		}
	}
	return n
}

func TestKilledControlPlane(t *testing.T) {
	state := t.TempDir()
	s1, mark1 := marked(t, "a-1", backendtest.Behaviour{Children: 1})
	s2, mark2 := marked(t, "a-2", backendtest.Behaviour{})
	killedControlPlane(t, state, 2, s1, s2)
	if n1, n2 := len(carriers(mark1)), len(carriers(mark2)); n1 != 2 || n2 != 1 {
		t.Fatalf("%d and %d processes survived their control plane, want 2 and 1", n1, n2)
	}
	b := openAt(t, state)
	defer stopAll(t, b)
	list, err := b.Observe(t.Context(), "test")
	if err != nil || len(list) != 2 {
		t.Fatalf("Observe = %+v, %v", list, err)
	}
	for i, r := range list {
		again, err := b.Start(t.Context(), []greenlight.ReplicaSpec{s1, s2}[i])
		if r.State != greenlight.ReplicaReady || again.PID != r.PID || err != nil {
			t.Errorf("adopted %+v; Start gives %+v, %v; want it unchanged", r, again, err)
		}
		if got := get(t, r, "/env?GREENLIGHT_REPLICA"); got != r.ID {
			t.Errorf("%s answers as %s", r.ID, got)
		}
	}
	if err := syscall.Kill(list[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		list, err = b.Observe(t.Context(), "test")
		return err == nil && list[0].State == greenlight.ReplicaFailed
	})
	if !strings.Contains(list[0].Reason, "unknown") {
		t.Errorf("reason %q: the exit code of an adopted replica is not known, that must be said", list[0].Reason)
	}
	noneCarries(t, mark1)
	if err := b.Stop(t.Context(), "test", "a-2"); err != nil {
		t.Fatal(err)
	}
	noneCarries(t, mark2)
}

func TestControlPlaneKilledDuringStart(t *testing.T) {
	state := t.TempDir()
	s, mark := marked(t, "a-1", backendtest.Behaviour{ReadyAfter: 2 * time.Second})
	killedControlPlane(t, state, 0, s)
	b := openAt(t, state)
	defer stopAll(t, b)
	if r := observeOne(t, b); r.State != greenlight.ReplicaStarting {
		t.Errorf("Observe = %+v", r)
	}
	r := start(t, b, s)
	if r.State != greenlight.ReplicaReady {
		t.Errorf("Start = %+v", r)
	}
	if n := len(carriers(mark)); n != 1 {
		t.Errorf("%d processes run, want 1", n)
	}
}

// Run alone brings an adopted replica to readiness, and ends one that is late.
func TestRunGoesOnWithAStart(t *testing.T) {
	state := t.TempDir()
	slow, _ := marked(t, "slow-1", backendtest.Behaviour{ReadyAfter: 700 * time.Millisecond})
	late, lateMark := marked(t, "late-1", backendtest.Behaviour{ReadyAfter: time.Minute})
	late.StartGrace = 700 * time.Millisecond
	killedControlPlane(t, state, 0, slow, late)
	b := openAt(t, state)
	defer stopAll(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx, func(backend.Change) {}) }()
	want := map[string]greenlight.ReplicaState{"slow-1": greenlight.ReplicaReady, "late-1": greenlight.ReplicaFailed}
	eventually(t, func() bool {
		list, err := b.Observe(t.Context(), "test")
		return err == nil && len(list) == 2 && list[0].State == want[list[0].ID] && list[1].State == want[list[1].ID]
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	noneCarries(t, lateMark)
}

// A record is lost, or was written before the process had its pid: the process
// is found by its launch.
func TestProcessWithoutRecordIsKilled(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"lost":       os.Remove,
		"broken":     func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"before pid": func(path string) error { return edit(path, "leader", map[string]any{}) },
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			b := openAt(t, state)
			s, mark := marked(t, "a-1", backendtest.Behaviour{Children: 1, Detach: true})
			start(t, b, s)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if err := lose(records(state)[0]); err != nil {
				t.Fatal(err)
			}
			b = openAt(t, state)
			defer stopAll(t, b)
			eventually(t, func() bool { return len(carriers(mark)) == 0 })
			start(t, b, s)
		})
	}
}

// edit changes one field of a JSON file.
func edit(path, field string, value any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	fields[field] = value
	if data, err = json.Marshal(fields); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// A pid that another process has by now is nobody's.
func TestReusedPidIsNotTouched(t *testing.T) {
	for name, change := range map[string]func(leader map[string]any){
		"other start": func(leader map[string]any) { leader["start"] = 1 },
		"other boot":  func(leader map[string]any) { leader["boot"] = "00000000-0000-0000-0000-000000000000" },
	} {
		t.Run(name, func(t *testing.T) {
			stranger := exec.Command("sleep", "60")
			stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := stranger.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = stranger.Process.Kill()
				_ = stranger.Wait()
			}()
			state := t.TempDir()
			b := openAt(t, state)
			r := start(t, b, spec("a-1", backendtest.Behaviour{}))
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			forge(t, records(state)[0], stranger.Process.Pid, change)
			b = openAt(t, state)
			if got := observeOne(t, b); got.State != greenlight.ReplicaFailed || got.PID != 0 {
				t.Errorf("Observe = %+v, want failed", got)
			}
			stopAll(t, b)
			if !runs(stranger.Process.Pid) {
				t.Error("the process that has the pid now was killed")
			}
			eventually(t, func() bool { return !runs(r.PID) })
		})
	}
}

// forge makes a record speak of another process.
func forge(t *testing.T, path string, pid int, change func(leader map[string]any)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rec struct {
		Leader map[string]any `json:"leader"`
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		t.Fatal(err)
	}
	rec.Leader["pid"] = pid
	change(rec.Leader)
	if err := edit(path, "leader", rec.Leader); err != nil {
		t.Fatal(err)
	}
}

func TestBrokenRecordsAreSetAside(t *testing.T) {
	state := t.TempDir()
	b := openAt(t, state)
	r := start(t, b, spec("good-1", backendtest.Behaviour{}))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(records(state)[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty-1": "", "half-1": string(good[:len(good)/2]), "array-1": "[]", "null-1": "null",
		"foreign-1": string(good), "version-1": `{"version": 99}`,
		"init-1": strings.NewReplacer("good-1", "init-1", fmt.Sprintf(`"pid": %d`, r.PID), `"pid": 1`).Replace(string(good)),
		"all-1":  strings.NewReplacer("good-1", "all-1", fmt.Sprintf(`"pid": %d`, r.PID), `"pid": -1`).Replace(string(good)),
		"far-1":  strings.Replace(string(good), "good-1", "../../far-1", 1),
	} {
		if err := os.WriteFile(filepath.Join(state, "replicas", "test", name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b = openAt(t, state)
	defer stopAll(t, b)
	if got := observeOne(t, b); got.ID != "good-1" || got.PID != r.PID {
		t.Errorf("Observe = %+v, want %+v", got, r)
	}
	if aside, _ := filepath.Glob(filepath.Join(state, "replicas", "broken.d", "*")); len(aside) != 9 {
		t.Errorf("set aside: %q, want 9 files", aside)
	}
}

func TestOneBackendAState(t *testing.T) {
	_, state := open(t)
	if _, err := process.Open(process.Options{State: state}); greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), state) {
		t.Errorf("second Open = %v, want CodeUnavailable that names the folder", err)
	}
}

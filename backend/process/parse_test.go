//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestParseStat(t *testing.T) {
	const rest = " S 1 42 43 34816 42 4194304 1 2 3 4 5 6 7 8 20 0 9 0 123456 1 2 3"
	for _, name := range []string{"(sh)", "(a b)", "(a) R 7 7 7 (b)", "(\n)", "(())"} {
		s, err := parseStat([]byte("42 " + name + rest))
		if want := (stat{state: 'S', group: 42, session: 43, start: 123456}); s != want || err != nil {
			t.Errorf("%q: %+v, %v; want %+v", name, s, err, want)
		}
	}
}

func TestSelf(t *testing.T) {
	me, err := identify(os.Getpid())
	if err != nil || !me.alive() || me.reused() || me.Start == 0 {
		t.Errorf("identify(self) = %+v, %v", me, err)
	}
	for _, other := range []leader{
		{PID: me.PID, Start: me.Start + 1, Boot: me.Boot}, {PID: me.PID, Start: me.Start, Boot: "x"},
		{}, {PID: 1, Start: me.Start, Boot: me.Boot}, {PID: -1, Boot: me.Boot},
	} {
		if other.alive() {
			t.Errorf("%+v is alive", other)
		}
		if err := other.awaitExit(t.Context()); err != nil {
			t.Errorf("awaitExit of %+v = %v", other, err)
		}
	}
}

func TestLaunchOf(t *testing.T) {
	for environ, want := range map[string]struct {
		launch      string
		overwritten bool
	}{
		"GREENLIGHT_LAUNCH=a.b\x00PATH=/bin\x00": {"a.b", false},
		"PATH=/bin\x00GREENLIGHT_LAUNCH=a.b\x00": {"a.b", false},
		"PATH=/bin\x00X=GREENLIGHT_LAUNCH=a\x00": {"", false},
		"":                                       {"", true},
		"worker process\x00\x00\x00":             {"", true},
	} {
		if launch, overwritten := launchOf([]byte(environ)); launch != want.launch || overwritten != want.overwritten {
			t.Errorf("launchOf(%q) = %q, %t", environ, launch, overwritten)
		}
	}
}

func TestTrend(t *testing.T) {
	probe := greenlight.Probe{Failures: 3, Successes: 2}
	tr := trend{probe: probe, good: true}
	got := ""
	for _, answer := range "--+---+-++-" {
		if tr.hear(answer == '+') {
			got += strconv.FormatBool(tr.good)[:1]
		} else {
			got += "."
		}
	}
	if want := ".....f...t."; got != want {
		t.Errorf("judgements %s, want %s", got, want)
	}
}

func TestPorts(t *testing.T) {
	p := newPorts()
	seen := make(map[int]bool)
	for range 50 {
		port, err := p.take()
		if err != nil || port < lowestPort || seen[port] {
			t.Fatalf("take = %d, %v", port, err)
		}
		seen[port] = true
	}
	p = &ports{low: 20000, high: 20001, next: 20000, used: map[int]bool{20000: true, 20001: true}}
	if port, err := p.take(); err == nil {
		t.Errorf("take gives %d although all are used", port)
	}
	p = &ports{used: make(map[int]bool)} // the kernel chooses
	for range 2 {
		if port, err := p.take(); err != nil || port < 1024 {
			t.Errorf("take = %d, %v", port, err)
		}
	}
}

// FuzzRecord loads any bytes as a record: refused or fit to be acted upon.
func FuzzRecord(f *testing.F) {
	rec := record{
		Spec:   greenlight.ReplicaSpec{ID: "a-1", Environment: "test", Service: "s", Command: []string{"x"}},
		Leader: leader{PID: 99999999, Start: 1, Boot: "b"}, Launch: newLaunch("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		State: greenlight.ReplicaReady, Since: time.Unix(1, 0), Port: 20000,
	}
	state := f.TempDir()
	if err := rec.save(state); err != nil {
		f.Fatal(err)
	}
	path := recordPath(state, key{"test", "a-1"})
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	if back, err := loadRecord(path); err != nil || back.Leader != rec.Leader {
		f.Fatalf("loadRecord = %+v, %v", back, err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"leader":{"pid":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "test", "a-1.json")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		rec, err := loadRecord(path)
		if err != nil {
			return
		}
		if rec.Spec.ID != "a-1" || rec.Spec.Environment != "test" || rec.Leader.PID == 1 || rec.Leader.PID < 0 ||
			rec.running() && (rec.Launch == "" || rec.Leader.Boot == "") {
			t.Errorf("accepted %+v", rec)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("42 (a b) S 1 42 43 34816 42 4194304 1 2 3 4 5 6 7 8 20 0 9 0 123456 1 2 3"))
	f.Add([]byte("31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"))
	f.Add([]byte("4:memory:/docker/c1\n0::/\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = parseStat(data)
		_ = parseMounts(data)
		_ = parseOwn(data)
		_, _ = launchOf(data)
		_ = readableLines(string(data))
		_ = putPort(string(data), "20000")
	})
}

// Both ways to wait for an end, by pidfd and by looking, see it, and let go when
// their context ends.
func TestAwaitExit(t *testing.T) {
	for name, await := range map[string]func(leader, context.Context) error{"pidfd": leader.awaitExit, "looking": leader.pollExit} {
		process, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Sys: ownSession()})
		if err != nil {
			t.Fatal(err)
		}
		who, err := identify(process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		given := errors.New("given up")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(given) })
		if err := await(who, ctx); !errors.Is(err, given) {
			t.Errorf("%s: the wait for a living process ends with %v", name, err)
		}
		time.AfterFunc(20*time.Millisecond, func() { who.signalGroup(syscall.SIGKILL) })
		if err := await(who, t.Context()); err != nil || who.alive() {
			t.Errorf("%s: the wait for its end = %v, alive %t", name, err, who.alive())
		}
		if ended := who.reap(); ended != "killed by SIGKILL" {
			t.Errorf("%s: it ended: %q", name, ended)
		}
		if ended := who.reap(); !strings.Contains(ended, "unknown") {
			t.Errorf("%s: reaped twice: %q", name, ended)
		}
		if err := process.Release(); err != nil {
			t.Error(err)
		}
	}
}

package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// childVariable tells the test's own program that it is the process that is
// to be killed; it holds the state folder.
const childVariable = "GREENLIGHT_STORETEST_CHILD"

const crashWriters = 4

// Child is to be called at the start of TestMain. It returns at once unless
// this process is the one that writes until it is killed.
func Child(open Open) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return
	}
	if err := writeForever(open, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writeForever says on standard output what it was told is durable, one line
// each: "put <writer> <n> <event>", "begun <step>", "ended <step>",
// "pruned <step> <event>".
func writeForever(open Open, dir string) error {
	st, err := open(context.Background(), dir)
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() {
		for {
			if err := pruneOnce(st); err != nil {
				failed <- err
			}
		}
	}()
	for w := range crashWriters {
		go func() {
			for n := 1; ; n++ {
				if err := writeOnce(st, w, n); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func writeOnce(st store.Store, w, n int) error {
	ctx := context.Background()
	steps, err := st.BeginSteps(ctx, store.Step{Plan: "crash", Kind: "write"})
	if err != nil {
		return err
	}
	fmt.Printf("begun %d\n", steps[0].ID)
	told := event("put")
	told.Subject, told.Message = strconv.Itoa(w), strconv.Itoa(n)
	put, err := st.PutSetting(ctx, store.Setting{
		Scope: "crash", Key: told.Subject, Value: []byte(told.Message), Revision: store.AnyRevision}, told)
	if err != nil {
		return err
	}
	fmt.Printf("put %d %d %d\n", w, n, put.Revision)
	err = st.EndSteps(ctx, store.StepEnd{ID: steps[0].ID, Outcome: store.StepDone, Events: []greenlight.Event{event("ended")}})
	if err != nil {
		return err
	}
	fmt.Printf("ended %d\n", steps[0].ID)
	return nil
}

// pruneOnce writes what may go, and has it go.
func pruneOnce(st store.Store) error {
	ctx := context.Background()
	steps, err := st.BeginSteps(ctx, store.Step{Plan: "noise", Kind: "write", Began: longAgo})
	if err != nil {
		return err
	}
	err = st.EndSteps(ctx, store.StepEnd{ID: steps[0].ID, Outcome: store.StepDone, Ended: longAgo})
	if err != nil {
		return err
	}
	kept, err := st.Record(ctx, slices.Repeat([]greenlight.Event{noise("noise")}, 20)...)
	if err != nil {
		return err
	}
	_, err = st.Prune(ctx, store.PruneOptions{EventsBefore: cutoff, StepsBefore: cutoff, Kinds: []string{"noise"}})
	if err != nil {
		return err
	}
	fmt.Printf("pruned %d %d\n", steps[0].ID, kept[len(kept)-1].ID)
	return nil
}

// killed kills a writing process at odd moments, each time on the state that
// the one before left.
func (s suite) killed(t *testing.T) {
	dir := t.TempDir()
	for round, life := range []time.Duration{0, 40 * time.Millisecond, 150 * time.Millisecond, 300 * time.Millisecond} {
		lines := writeAndKill(t, dir, life)
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { s.survived(t, dir, lines) })
	}
}

// writeAndKill returns what the process said before it was killed, life
// after its first line.
func writeAndKill(t *testing.T, dir string, life time.Duration) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+dir)
	var complaint strings.Builder
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() { once.Do(func() { time.AfterFunc(life, func() { _ = child.Process.Kill() }) }) }
	lines := readLines(out, kill)
	kill()
	_ = child.Wait() // it was killed
	if len(lines) == 0 {
		t.Fatalf("the process wrote nothing: %s", complaint.String())
	}
	return lines
}

// readLines reads the lines that are complete, and calls first at the first.
func readLines(r io.Reader, first func()) (lines []string) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return lines
		}
		first()
		lines = append(lines, strings.TrimSpace(line))
	}
}

// survived checks that all that was acknowledged is there, and that nothing
// is there by half.
func (s suite) survived(t *testing.T, dir string, lines []string) {
	st := s.at(t, dir)
	events, steps := crashRecord(t, st)
	last := map[string]int{}
	for _, line := range lines {
		f := strings.Fields(line)
		id, _ := strconv.ParseInt(f[len(f)-1], 10, 64)
		step, begun := steps[id]
		switch f[0] {
		case "put":
			if e := events[id]; e.Subject != f[1] || e.Message != f[2] {
				t.Errorf("%s was acknowledged; kept is %+v", line, e)
			}
			last[f[1]], _ = strconv.Atoi(f[2])
		case "begun":
			if !begun {
				t.Errorf("step %d was begun and is not there", id)
			}
		case "ended":
			if step.Outcome != store.StepDone {
				t.Errorf("step %d had ended; kept is %+v", id, step)
			}
		case "pruned":
			s.stayedAway(t, st, f[1], id, events)
		}
	}
	s.whole(t, st, events, last)
}

// stayedAway checks that what was pruned has not come back: the steps and the
// noise up to these.
func (s suite) stayedAway(t *testing.T, st store.Store, step string, event int64, events map[int64]greenlight.Event) {
	last, _ := strconv.ParseInt(step, 10, 64)
	for _, left := range must[[]store.Step](t)(st.PlanSteps(t.Context(), "noise")) {
		if left.ID <= last {
			t.Errorf("step %d was pruned and is there", left.ID)
		}
	}
	for id, e := range events {
		if id <= event && e.Kind == "noise" {
			t.Errorf("event %d was pruned and is there", id)
		}
	}
}

func crashRecord(t *testing.T, st store.Store) (map[int64]greenlight.Event, map[int64]store.Step) {
	events, steps := map[int64]greenlight.Event{}, map[int64]store.Step{}
	for after := int64(0); ; {
		page := must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{After: after}))
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.ID <= after {
				t.Fatalf("event %d comes after %d", e.ID, after)
			}
			events[e.ID], after = e, e.ID
		}
	}
	for _, step := range must[[]store.Step](t)(st.PlanSteps(t.Context(), "crash")) {
		steps[step.ID] = step
	}
	return events, steps
}

// whole checks what belongs together: each value and its event, each ended
// step and its event, and that every writer left one step open at most. It
// ends the open ones, as the control plane would.
func (s suite) whole(t *testing.T, st store.Store, events map[int64]greenlight.Event, last map[string]int) {
	for _, setting := range must[[]store.Setting](t)(st.ListSettings(t.Context(), "crash")) {
		e := events[setting.Revision]
		if e.Subject != setting.Key || e.Message != string(setting.Value) {
			t.Errorf("setting %s = %s was written by event %+v", setting.Key, setting.Value, e)
		}
		if n, _ := strconv.Atoi(string(setting.Value)); n < last[setting.Key] {
			t.Errorf("setting %s is %d, %d was acknowledged", setting.Key, n, last[setting.Key])
		}
	}
	ended := 0
	for _, e := range events {
		if e.Kind == "ended" {
			ended++
		}
	}
	done := 0
	for _, step := range must[[]store.Step](t)(st.PlanSteps(t.Context(), "crash")) {
		if step.Outcome == store.StepDone {
			done++
		}
	}
	open := must[[]store.Step](t)(st.OpenSteps(t.Context()))
	if done != ended || len(open) > crashWriters+1 {
		t.Errorf("%d steps are done, %d events say so, %d are open", done, ended, len(open))
	}
	for _, step := range open {
		if err := st.EndSteps(t.Context(), store.StepEnd{ID: step.ID, Outcome: store.StepDropped, Ended: step.Began}); err != nil {
			t.Error(err)
		}
	}
}

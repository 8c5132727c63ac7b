package control_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/greenlight-dev/greenlight/control"
)

// writeModel puts a file that is as good as a model to who does not load it.
func (w *world) writeModel(content string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(filepath.Dir(w.state), "model.onnx"), []byte(content), 0o600))
}

func (w *world) glob(pattern string) []string {
	w.t.Helper()
	list, err := filepath.Glob(filepath.Join(w.state, pattern))
	must(w.t, err)
	return list
}

func (w *world) tamper(path string) {
	w.t.Helper()
	must(w.t, os.Chmod(path, 0o600))
	must(w.t, os.WriteFile(path, []byte("tampered"), 0o600))
}

func modelText(policy string) string {
	return "name: shop\nservices: {iris: {model: model.onnx}}\nenvironments: {dev: {backend: mem, drift: " + policy + "}}"
}

func TestOldReleasesAreCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		for i := range 14 {
			w.writeModel(fmt.Sprintf("model %d", i))
			w.apply(modelText("heal"))
			time.Sleep(10 * time.Second)
		}
		w.want("iris", control.Good, 1, "")
		if releases, blobs := w.glob("releases/*"), w.glob("blobs/*"); len(releases) != 10 || len(blobs) != 10 {
			t.Errorf("%d releases and %d blobs are kept, want those of 10 revisions", len(releases), len(blobs))
		}
		must(t, w.close())
	})
}

func TestReplicasServeFromCopiesThatAreWatched(t *testing.T) {
	for policy, want := range map[string]struct {
		health control.Health
		events string
		back   bool
	}{
		"off":    {control.Good, "", false},
		"detect": {control.Good, "drift.detected", false},
		"heal":   {control.Good, "drift.detected drift.healed", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			w.writeModel("a model")
			w.apply(modelText(policy))
			time.Sleep(time.Second)
			before := w.want("iris", control.Good, 1, "").Replicas[0]
			w.writeModel("the next version, not applied yet")
			time.Sleep(time.Minute)
			if n := len(w.events("drift.detected")); n > 0 {
				t.Errorf("%s: %d events about a file that is no part of the release", policy, n)
			}
			copies := w.glob("releases/*/iris/model.onnx")
			w.tamper(copies[0])
			time.Sleep(time.Minute)
			after := w.want("iris", want.health, 1, "").Replicas[0]
			content, err := os.ReadFile(copies[0])
			must(t, err)
			if back := string(content) == "a model"; back != want.back || (after.PID != before.PID) != want.back {
				t.Errorf("%s: the copy is %q, replica %+v became %+v", policy, content, before, after)
			}
			var kinds []string
			for _, e := range w.events("") {
				if strings.HasPrefix(e.Kind, "drift.") {
					kinds = append(kinds, e.Kind)
				}
			}
			if got := strings.Join(kinds, " "); got != want.events {
				t.Errorf("%s: events %q, want %q", policy, got, want.events)
			}
			now, err := w.Plan(t.Context(), "dev")
			must(t, err)
			if drift := len(now.Drift) > 0; drift != (policy == "detect") {
				t.Errorf("%s: drift %q", policy, now.Drift)
			}
			must(t, w.close())
		})
	}
}

func TestWhatCannotBePutBackIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.writeModel("a model")
		w.apply(modelText("heal"))
		time.Sleep(time.Second)
		w.tamper(w.glob("blobs/*")[0])
		w.tamper(w.glob("releases/*/iris/model.onnx")[0])
		time.Sleep(10 * time.Minute)
		left := w.events("drift.left")
		if len(left) != 1 || !strings.Contains(left[0].Message, "another than it was") {
			t.Errorf("events %+v", left)
		}
		s, err := w.Status(t.Context())
		must(t, err)
		if s.Environments[0].Health != control.Degraded {
			t.Errorf("the environment is %s: %s", s.Environments[0].Health, s.Environments[0].Note)
		}
		w.apply(modelText("heal")) // the way out that the event names
		time.Sleep(time.Minute)
		if now, err := w.Plan(t.Context(), "dev"); err != nil || !now.Empty() {
			t.Errorf("after it was applied again: %+v, %v", now, err)
		}
		must(t, w.close())
	})
}

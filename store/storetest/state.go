package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

func desired(environment, digest string, replaces int64) store.DesiredState {
	return store.DesiredState{
		Environment: environment, Digest: digest, Revision: replaces, Description: json.RawMessage(`{"digest": "` + digest + `"}`),
	}
}

func (s suite) desired(t *testing.T) {
	st, state := s.new(t), must[store.DesiredState](t)
	_, err := st.DesiredAt(t.Context(), "dev", 0)
	wantCode(t, "no state yet", err, greenlight.CodeNotFound)
	one := state(st.ApplyDesired(t.Context(), desired("dev", "d1", 0), event("applied")))
	two := state(st.ApplyDesired(t.Context(), desired("dev", "d2", 1), event("applied")))
	other := state(st.ApplyDesired(t.Context(), desired("a-other", "d1", store.AnyRevision), event("applied")))
	if one.Revision != 1 || two.Revision != 2 || other.Revision != 1 || two.AppliedBy != "user:ada" || two.Event == 0 {
		t.Errorf("got %+v, %+v, %+v", one, two, other)
	}
	recently(t, "AppliedAt", two.AppliedAt)
	again := state(st.ApplyDesired(t.Context(), desired("dev", "d2", 1), event("applied")))
	if !reflect.DeepEqual(again, two) || countEvents(t, st) != 3 {
		t.Errorf("applying the current digest gave %+v and %d events, want %+v and 3", again, countEvents(t, st), two)
	}
	for _, replaces := range []int64{0, 1, 3} {
		_, err := st.ApplyDesired(t.Context(), desired("dev", "d3", replaces), event("applied"))
		wantConflict(t, fmt.Sprint("replacing ", replaces), err)
	}
	undone := state(st.DesiredAt(t.Context(), "dev", 1))
	if !reflect.DeepEqual(undone, one) {
		t.Errorf("revision 1 is %+v, want %+v", undone, one)
	}
	undone.Revision = two.Revision
	three := state(st.ApplyDesired(t.Context(), undone, event("undone")))
	if got := state(st.DesiredAt(t.Context(), "dev", 0)); !reflect.DeepEqual(got, three) || got.Revision != 3 || got.Digest != "d1" {
		t.Errorf("the current state is %+v, want %+v", got, three)
	}
	s.desiredLists(t, st, []store.DesiredState{one, two, three}, other)
	_, err = st.DesiredAt(t.Context(), "dev", 4)
	wantCode(t, "a revision of the future", err, greenlight.CodeNotFound)
}

func (s suite) desiredLists(t *testing.T, st store.Store, dev []store.DesiredState, other store.DesiredState) {
	states := must[[]store.DesiredState](t)
	history := states(st.DesiredHistory(t.Context(), "dev", 2))
	want := []store.DesiredState{dev[2], dev[1]}
	for i := range want {
		want[i].Description = nil
	}
	if !reflect.DeepEqual(history, want) {
		t.Errorf("the history is %+v, want %+v", history, want)
	}
	if all := states(st.Environments(t.Context())); !reflect.DeepEqual(all, []store.DesiredState{other, dev[2]}) {
		t.Errorf("the environments are %+v", all)
	}
	if none := states(st.DesiredHistory(t.Context(), "nowhere", 0)); len(none) != 0 {
		t.Errorf("nowhere has a history: %+v", none)
	}
}

func release(digest, service string) store.Release {
	return store.Release{Digest: digest, Service: service, Commit: "4b7d9aa", Configuration: json.RawMessage(`{"model":"iris.onnx"}`)}
}

func (s suite) releases(t *testing.T) {
	st, keep, list := s.new(t), must[store.Release](t), must[[]store.Release](t)
	a := keep(st.SaveRelease(t.Context(), release("sha256:aa", "iris"), event("released")))
	b := keep(st.SaveRelease(t.Context(), release("sha256:bb", "web"), event("released")))
	c := keep(st.SaveRelease(t.Context(), release("sha256:cc", "iris"), event("released")))
	recently(t, "CreatedAt", a.CreatedAt)
	again := keep(st.SaveRelease(t.Context(), release("sha256:aa", "iris"), event("released")))
	if !reflect.DeepEqual(again, a) || a.CreatedBy != "user:ada" || countEvents(t, st) != 3 {
		t.Errorf("saving an equal release gave %+v, want %+v without an event", again, a)
	}
	changed := release("sha256:aa", "iris")
	changed.Configuration = json.RawMessage(`{}`)
	_, err := st.SaveRelease(t.Context(), changed, event("released"))
	wantConflict(t, "changing a release", err)
	if got := keep(st.Release(t.Context(), "sha256:bb")); !reflect.DeepEqual(got, b) {
		t.Errorf("got %+v, want %+v", got, b)
	}
	_, err = st.Release(t.Context(), "sha256:dd")
	wantCode(t, "unknown release", err, greenlight.CodeNotFound)
	if got := list(st.ListReleases(t.Context(), "iris", 0)); !reflect.DeepEqual(got, []store.Release{c, a}) {
		t.Errorf("iris has %+v", got)
	}
	if got := list(st.ListReleases(t.Context(), "", 2)); !reflect.DeepEqual(got, []store.Release{c, b}) {
		t.Errorf("the newest two are %+v", got)
	}
}

func (s suite) journal(t *testing.T) {
	st, list := s.new(t), must[[]store.Step](t)
	steps := list(st.BeginSteps(t.Context(),
		store.Step{Plan: "p1", Kind: "start", Environment: "dev", Service: "iris", Subject: "iris-1", Detail: json.RawMessage(`{"port":1}`)},
		store.Step{Plan: "p1", Kind: "route"}))
	later := list(st.BeginSteps(t.Context(), store.Step{Plan: "p2", Kind: "stop"}))
	recently(t, "Began", steps[0].Began)
	if open := list(st.OpenSteps(t.Context())); !reflect.DeepEqual(open, append(steps[:2:2], later...)) {
		t.Errorf("open are %+v", open)
	}
	started := event("replica.started")
	end := store.StepEnd{ID: steps[0].ID, Outcome: store.StepDone, Events: []greenlight.Event{started, event("b")}}
	failed := store.StepEnd{ID: later[0].ID, Outcome: store.StepFailed, Reason: "no such process"}
	if err := st.EndSteps(t.Context(), end, failed); err != nil {
		t.Fatal(err)
	}
	if open := list(st.OpenSteps(t.Context())); !reflect.DeepEqual(open, steps[1:]) {
		t.Errorf("open are %+v, want %+v", open, steps[1:])
	}
	if n := countEvents(t, st); n != 2 {
		t.Errorf("%d events, want those of the step that ended", n)
	}
	wantConflict(t, "ending twice", st.EndSteps(t.Context(), store.StepEnd{ID: steps[1].ID, Outcome: store.StepDone}, end))
	wantCode(t, "ending a step never begun", st.EndSteps(t.Context(), store.StepEnd{ID: 1 << 40, Outcome: store.StepDone}), greenlight.CodeNotFound)
	p1, p2 := list(st.PlanSteps(t.Context(), "p1")), list(st.PlanSteps(t.Context(), "p2"))
	if len(p1) != 2 || p1[0].Outcome != store.StepDone || p1[0].Ended.IsZero() || !p1[1].Ended.IsZero() {
		t.Errorf("p1 is %+v, want the second step still open: its end was refused with the other", p1)
	}
	if len(p2) != 1 || p2[0].Outcome != store.StepFailed || p2[0].Reason != "no such process" || countEvents(t, st) != 2 {
		t.Errorf("p2 is %+v", p2)
	}
}

func (s suite) settings(t *testing.T) {
	st, keep, list := s.new(t), must[store.Setting](t), must[[]store.Setting](t)
	put := func(key, value string, replaces int64) (store.Setting, error) {
		return st.PutSetting(t.Context(), store.Setting{Scope: "dev", Key: key, Value: json.RawMessage(value), Revision: replaces}, event("scaled"))
	}
	_, err := st.Setting(t.Context(), "dev", "replicas")
	wantCode(t, "no setting yet", err, greenlight.CodeNotFound)
	one := keep(put("replicas", "1", 0))
	two := keep(put("replicas", "2", one.Revision))
	limit := keep(put("limit", `"x"`, store.AnyRevision))
	recently(t, "ChangedAt", two.ChangedAt)
	for _, replaces := range []int64{0, one.Revision, limit.Revision} {
		_, err := put("replicas", "3", replaces)
		wantConflict(t, fmt.Sprint("replacing ", replaces), err)
	}
	if got := keep(st.Setting(t.Context(), "dev", "replicas")); !reflect.DeepEqual(got, two) || got.ChangedBy != "user:ada" {
		t.Errorf("got %+v, want %+v", got, two)
	}
	if got := list(st.ListSettings(t.Context(), "dev")); !reflect.DeepEqual(got, []store.Setting{limit, two}) {
		t.Errorf("the settings are %+v", got)
	}
	wantConflict(t, "deleting an old revision", st.DeleteSetting(t.Context(), one, event("reset")))
	if err := st.DeleteSetting(t.Context(), two, event("reset")); err != nil {
		t.Fatal(err)
	}
	two.Revision = store.AnyRevision
	wantCode(t, "deleting twice", st.DeleteSetting(t.Context(), two, event("reset")), greenlight.CodeNotFound)
	reborn := keep(put("replicas", "1", 0))
	_, err = put("replicas", "9", one.Revision)
	wantConflict(t, "a revision from before the deletion", err)
	if n := countEvents(t, st); n != 5 || reborn.Revision <= limit.Revision {
		t.Errorf("%d events and revision %d", n, reborn.Revision)
	}
}

// settingsRace counts up by compare-and-swap from several goroutines.
func (s suite) settingsRace(t *testing.T) {
	const workers, each = 4, 25
	st := s.new(t)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if err := increment(t, st); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := must[store.Setting](t)(st.Setting(t.Context(), "dev", "n")); string(got.Value) != strconv.Itoa(workers*each) {
		t.Errorf("counted to %s, want %d", got.Value, workers*each)
	}
	if n := countEvents(t, st); n != workers*each {
		t.Errorf("%d events, want %d", n, workers*each)
	}
}

func increment(t *testing.T, st store.Settings) error {
	for {
		current, err := st.Setting(t.Context(), "dev", "n")
		if err != nil && greenlight.CodeOf(err) != greenlight.CodeNotFound {
			return err
		}
		n, _ := strconv.Atoi(string(current.Value))
		_, err = st.PutSetting(t.Context(), store.Setting{
			Scope: "dev", Key: "n", Value: []byte(strconv.Itoa(n + 1)), Revision: current.Revision}, event("counted"))
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (s suite) tokens(t *testing.T) {
	st, keep := s.new(t), must[store.Token](t)
	secret, made := store.NewToken("ci", store.RoleOperator)
	saved := keep(st.SaveToken(t.Context(), made, event("token.created")))
	recently(t, "CreatedAt", saved.CreatedAt)
	_, err := st.SaveToken(t.Context(), made, event("token.created"))
	wantConflict(t, "an id twice", err)
	now := time.Now().UTC()
	got := keep(store.Authenticate(t.Context(), st, secret, now))
	if got.Name != "ci" || got.Role != store.RoleOperator || !got.LastUsedAt.Equal(now) {
		t.Errorf("authenticated as %+v", got)
	}
	if err := st.TouchToken(t.Context(), made.ID, now.Add(-time.Hour)); err != nil {
		t.Error(err)
	}
	saved.LastUsedAt = now
	if read := keep(st.Token(t.Context(), made.ID)); !reflect.DeepEqual(read, saved) {
		t.Errorf("read %+v, want %+v", read, saved)
	}
	if err := st.RevokeToken(t.Context(), made.ID, event("token.revoked")); err != nil {
		t.Fatal(err)
	}
	_, err = store.Authenticate(t.Context(), st, secret, now)
	wantCode(t, "a revoked token", err, greenlight.CodeRefused)
	revoked := keep(st.Token(t.Context(), made.ID)).RevokedAt
	if err := st.RevokeToken(t.Context(), made.ID, event("token.revoked")); err != nil || countEvents(t, st) != 2 {
		t.Errorf("revoking again: %v, %d events, want 2", err, countEvents(t, st))
	}
	all := must[[]store.Token](t)(st.ListTokens(t.Context()))
	if len(all) != 1 || !all[0].RevokedAt.Equal(revoked) || revoked.IsZero() {
		t.Errorf("the tokens are %+v", all)
	}
	for _, err := range []error{st.RevokeToken(t.Context(), "none", event("x")), st.TouchToken(t.Context(), "none", now)} {
		wantCode(t, "an unknown token", err, greenlight.CodeNotFound)
	}
}

// refusedLeaveNothing has changes that are refused together with others that
// are not: the events of the first must not stay.
func (s suite) refusedLeaveNothing(t *testing.T) {
	const each = 40
	st := s.new(t)
	must[store.Release](t)(st.SaveRelease(t.Context(), release("sha256:aa", "iris"), event("first")))
	changed := release("sha256:aa", "other")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range each {
				_, err := st.SaveRelease(t.Context(), changed, event("refused"))
				wantConflict(t, "a changed release", err)
				ended := store.StepEnd{ID: 1 << 40, Outcome: store.StepDone, Events: []greenlight.Event{event("refused")}}
				wantCode(t, "an unknown step", st.EndSteps(t.Context(), ended), greenlight.CodeNotFound)
				if _, err := st.Record(t.Context(), event("kept")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for kind, want := range map[string]int{"refused": 0, "kept": 3 * each} {
		if got := must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{Kind: kind})); len(got) != want {
			t.Errorf("%d events of kind %s, want %d", len(got), kind, want)
		}
	}
}

func (s suite) wrongInput(t *testing.T) {
	st, ok := s.new(t), event("x")
	long := strings.Repeat("x", store.MaxName+1)
	_, token := store.NewToken("", store.RoleViewer)
	_, other := store.NewToken("ci", "root")
	tests := map[string]func() error{
		"description is not JSON": func() error {
			_, err := st.ApplyDesired(t.Context(), store.DesiredState{Environment: "dev", Digest: "d", Description: []byte("{")}, ok)
			return err
		},
		"digest is empty":  func() error { _, err := st.ApplyDesired(t.Context(), desired("dev", "", 0), ok); return err },
		"service is empty": func() error { _, err := st.SaveRelease(t.Context(), release("d", ""), ok); return err },
		"plan is empty":    func() error { _, err := st.BeginSteps(t.Context(), store.Step{Kind: "start"}); return err },
		`outcome "maybe"`:  func() error { return st.EndSteps(t.Context(), store.StepEnd{ID: 1, Outcome: "maybe"}) },
		"value is not JSON": func() error {
			_, err := st.PutSetting(t.Context(), store.Setting{Scope: "s", Key: "k"}, ok)
			return err
		},
		"key has 513 bytes": func() error { return st.DeleteSetting(t.Context(), store.Setting{Scope: "s", Key: long}, ok) },
		"name is empty":     func() error { _, err := st.SaveToken(t.Context(), token, ok); return err },
		`role "root"`:       func() error { _, err := st.SaveToken(t.Context(), other, ok); return err },
		"actor is empty": func() error {
			_, err := st.SaveRelease(t.Context(), release("d", "iris"), greenlight.Event{Kind: "released"})
			return err
		},
	}
	for want, call := range tests {
		err := call()
		wantCode(t, want, err, greenlight.CodeInvalid)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if n := countEvents(t, st); n != 0 {
		t.Errorf("%d events are kept of calls that failed", n)
	}
}

package sqlite

import (
	"context"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

const selectStep = `SELECT id, plan, kind, environment, service, subject, detail, began, ended, outcome, reason FROM steps `

func scanStep(row scanner) (st store.Step, err error) {
	return st, row.Scan(&st.ID, &st.Plan, &st.Kind, &st.Environment, &st.Service, &st.Subject, document{&st.Detail},
		instant{&st.Began}, instant{&st.Ended}, &st.Outcome, &st.Reason)
}

// BeginSteps implements store.Journal.
func (s *Store) BeginSteps(ctx context.Context, steps ...store.Step) ([]store.Step, error) {
	if err := batchFits(len(steps)); err != nil || len(steps) == 0 {
		return nil, err
	}
	kept := make([]store.Step, len(steps))
	for i, st := range steps {
		if err := store.CheckStep(&st); err != nil {
			return nil, err
		}
		kept[i] = opened(st)
	}
	err := s.change(ctx, "begin steps of plan "+steps[0].Plan, func(tx *transaction) error { return tx.beginSteps(kept) })
	if err != nil {
		return nil, err
	}
	return kept, nil
}

func batchFits(n int) error {
	if n > store.MaxBatch {
		return greenlight.Errorf(greenlight.CodeInvalid, "%d steps at once, %d are the most", n, store.MaxBatch)
	}
	return nil
}

// opened is a step as it is kept while it is open.
func opened(st store.Step) store.Step {
	if st.Began.IsZero() {
		st.Began = time.Now()
	}
	st.Began = st.Began.Round(0).UTC()
	st.Ended, st.Outcome, st.Reason = time.Time{}, "", ""
	return st
}

func (tx *transaction) beginSteps(steps []store.Step) error {
	for i := range steps {
		st := &steps[i]
		result, err := tx.exec(`INSERT INTO steps (plan, kind, environment, service, subject, detail, began) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			st.Plan, st.Kind, st.Environment, st.Service, st.Subject, text(st.Detail), nanoseconds(st.Began))
		if err != nil {
			return err
		}
		if st.ID, err = result.LastInsertId(); err != nil {
			return err
		}
	}
	return nil
}

// EndSteps implements store.Journal.
func (s *Store) EndSteps(ctx context.Context, ends ...store.StepEnd) error {
	if err := batchFits(len(ends)); err != nil || len(ends) == 0 {
		return err
	}
	events := make([][]record, len(ends))
	for i := range ends {
		if err := store.CheckStepEnd(&ends[i]); err != nil {
			return err
		}
		recs, err := encodeEvents(ends[i].Events)
		if err != nil {
			return err
		}
		events[i] = recs
	}
	return s.change(ctx, "end steps", func(tx *transaction) error {
		for i := range ends {
			if err := tx.endStep(&ends[i], events[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (tx *transaction) endStep(end *store.StepEnd, events []record) error {
	st, found, err := first(tx.ctx, tx, scanStep, selectStep+`WHERE id = ?`, end.ID)
	switch {
	case err != nil:
		return err
	case !found:
		return greenlight.Errorf(greenlight.CodeNotFound, "step %d was never begun", end.ID)
	case !st.Ended.IsZero():
		return store.Conflict("step %d (%s %s) has ended as %s", st.ID, st.Kind, st.Subject, st.Outcome)
	}
	at := end.Ended
	if at.IsZero() {
		at = time.Now()
	}
	_, err = tx.exec(`UPDATE steps SET ended = ?, outcome = ?, reason = ? WHERE id = ?`, nanoseconds(at), end.Outcome, end.Reason, end.ID)
	if err != nil {
		return err
	}
	return tx.record(events)
}

// OpenSteps implements store.Journal.
func (s *Store) OpenSteps(ctx context.Context) ([]store.Step, error) {
	return readAll(ctx, s, "list open steps", scanStep, selectStep+`WHERE ended IS NULL ORDER BY id`)
}

// PlanSteps implements store.Journal.
func (s *Store) PlanSteps(ctx context.Context, plan string) ([]store.Step, error) {
	return readAll(ctx, s, "list the steps of plan "+plan, scanStep, selectStep+`WHERE plan = ? ORDER BY id`, plan)
}

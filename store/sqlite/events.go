package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// Record implements store.Events.
func (s *Store) Record(ctx context.Context, events ...greenlight.Event) ([]greenlight.Event, error) {
	recs, err := encodeEvents(events)
	if err != nil || len(recs) == 0 {
		return nil, err
	}
	err = s.change(ctx, "record events", func(tx *transaction) error { return tx.record(recs) })
	if err != nil {
		return nil, err
	}
	kept := make([]greenlight.Event, len(recs))
	for i, r := range recs {
		kept[i] = r.Event
	}
	return kept, nil
}

// record is an event on its way into the file.
type record struct {
	greenlight.Event
	evidence json.RawMessage
}

// encodeEvents checks events and gives those without a time the time of now.
func encodeEvents(events []greenlight.Event) ([]record, error) {
	if len(events) > store.MaxBatch {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d events at once, %d are the most", len(events), store.MaxBatch)
	}
	recs := make([]record, len(events))
	for i := range events {
		if err := store.CheckEvent(&events[i]); err != nil {
			return nil, err
		}
		evidence, err := store.EncodeEvidence(&events[i])
		if err != nil {
			return nil, err
		}
		recs[i] = record{events[i], evidence}
		if recs[i].Time.IsZero() {
			recs[i].Time = time.Now()
		}
		recs[i].Time = recs[i].Time.Round(0).UTC()
	}
	return recs, nil
}

// encodeEvent is encodeEvents for the one event of a change.
func encodeEvent(e greenlight.Event) (*record, error) {
	recs, err := encodeEvents([]greenlight.Event{e})
	if err != nil {
		return nil, err
	}
	return &recs[0], nil
}

const insertEvent = `INSERT INTO events (time, actor, kind, environment, service, subject, message, evidence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

// record appends events and fills their ids in.
func (tx *transaction) record(recs []record) error {
	for i := range recs {
		if err := tx.recordOne(&recs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (tx *transaction) recordOne(r *record) error {
	result, err := tx.exec(insertEvent, r.Time.UnixNano(), r.Actor, r.Kind, r.Environment, r.Service, r.Subject, r.Message, text(r.evidence))
	if err != nil {
		return err
	}
	tx.recorded = true
	r.ID, err = result.LastInsertId()
	return err
}

// ListEvents implements store.Events.
func (s *Store) ListEvents(ctx context.Context, q store.EventQuery) ([]greenlight.Event, error) {
	where, args := conditions(q)
	direction := "ASC"
	if q.Newest {
		direction = "DESC"
	}
	query := fmt.Sprintf(`SELECT id, time, actor, kind, environment, service, subject, message, evidence
FROM events %s ORDER BY id %s LIMIT %d`, where, direction, store.Rows(q.Limit))
	return readAll(ctx, s, "list events", scanEvent, query, args...)
}

// conditions turns the fields that are set into a WHERE clause.
func conditions(q store.EventQuery) (where string, args []any) {
	var terms []string
	add := func(set bool, term string, arg any) {
		if set {
			terms, args = append(terms, term), append(args, arg)
		}
	}
	add(q.After != 0, "id > ?", q.After)
	add(q.Before != 0, "id < ?", q.Before)
	add(q.Kind != "", "kind = ?", q.Kind)
	add(q.Environment != "", "environment = ?", q.Environment)
	add(q.Service != "", "service = ?", q.Service)
	add(q.Subject != "", "subject = ? AND subject <> ''", q.Subject)
	add(!q.Since.IsZero(), "time >= ?", q.Since.UnixNano())
	add(!q.Until.IsZero(), "time < ?", q.Until.UnixNano())
	if len(terms) == 0 {
		return "", nil
	}
	return "WHERE " + strings.Join(terms, " AND "), slices.Clip(args)
}

func scanEvent(row scanner) (e greenlight.Event, err error) {
	var evidence json.RawMessage
	err = row.Scan(&e.ID, instant{&e.Time}, &e.Actor, &e.Kind, &e.Environment, &e.Service, &e.Subject, &e.Message, document{&evidence})
	if err == nil && evidence != nil {
		err = json.Unmarshal(evidence, &e.Evidence)
	}
	return e, err
}

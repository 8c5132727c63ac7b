package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// hourOf is the number of an hour, and the first that does not begin before t.
func hourOf(t time.Time) int64 {
	hour := int64(time.Hour)
	n := t.UnixNano() / hour
	if n*hour < t.UnixNano() {
		n++
	}
	return n
}

func timeOfHour(n int64) time.Time { return time.Unix(n*3600, 0).UTC() }

// AddTraffic implements store.Traffic.
func (s *Store) AddTraffic(ctx context.Context, mark store.TrafficMark, hours ...store.TrafficHour) error {
	if err := store.CheckTraffic(&mark, hours); err != nil {
		return err
	}
	return s.change(ctx, "add traffic", func(tx *transaction) error {
		if _, err := tx.exec(`INSERT OR REPLACE INTO traffic_mark (id, at, counters) VALUES (1, ?, ?)`, mark.At.UnixNano(), string(mark.Counters)); err != nil {
			return err
		}
		ids := make(map[[2]string]int64)
		for i := range hours {
			if err := tx.addTrafficHour(ids, &hours[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// addTrafficHour adds one hour; ids are the services that were met before.
func (tx *transaction) addTrafficHour(ids map[[2]string]int64, h *store.TrafficHour) error {
	name := [2]string{h.Environment, h.Service}
	if _, met := ids[name]; !met {
		id, err := tx.trafficService(h.Environment, h.Service)
		if err != nil {
			return err
		}
		ids[name] = id
	}
	_, err := tx.exec(`INSERT INTO traffic_hours (service, hour, requests, errors, peak, observed) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (service, hour) DO UPDATE SET requests = requests + excluded.requests, errors = errors + excluded.errors,
peak = max(peak, excluded.peak), observed = min(observed + excluded.observed, 3600)`,
		ids[name], hourOf(h.Hour), h.Requests, h.Errors, h.Peak, h.Observed)
	return err
}

// trafficService is the number of a service, which it has for good.
func (tx *transaction) trafficService(environment, service string) (int64, error) {
	if _, err := tx.exec(`INSERT OR IGNORE INTO traffic_services (environment, service) VALUES (?, ?)`, environment, service); err != nil {
		return 0, err
	}
	id, _, err := first(tx.ctx, tx, scanID, `SELECT id FROM traffic_services WHERE environment = ? AND service = ?`, environment, service)
	return id, err
}

// TrafficMark implements store.Traffic.
func (s *Store) TrafficMark(ctx context.Context) (store.TrafficMark, error) {
	scan := func(row scanner) (m store.TrafficMark, err error) {
		return m, row.Scan(instant{&m.At}, document{&m.Counters})
	}
	return readOne(ctx, s, "the mark of traffic", scan, `SELECT at, counters FROM traffic_mark`)
}

// TrafficHours implements store.Traffic.
func (s *Store) TrafficHours(ctx context.Context, q store.TrafficQuery) ([]store.TrafficHour, error) {
	if err := store.CheckTrafficQuery(&q); err != nil {
		return nil, err
	}
	from, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.From.IsZero() {
		from = hourOf(q.From)
	}
	if !q.Until.IsZero() {
		until = hourOf(q.Until)
	}
	scan := func(row scanner) (store.TrafficHour, error) {
		h := store.TrafficHour{Environment: q.Environment, Service: q.Service}
		var n int64
		err := row.Scan(&n, &h.Requests, &h.Errors, &h.Peak, &h.Observed)
		h.Hour = timeOfHour(n)
		return h, err
	}
	return readAll(ctx, s, "list traffic", scan, `SELECT hour, requests, errors, peak, observed FROM traffic_hours
WHERE service = (SELECT id FROM traffic_services WHERE environment = ? AND service = ?) AND hour >= ? AND hour < ? ORDER BY hour LIMIT ?`,
		q.Environment, q.Service, from, until, store.Rows(q.Limit))
}

// PruneTraffic implements store.Traffic. Services keep their numbers.
func (s *Store) PruneTraffic(ctx context.Context, before time.Time) (removed int, err error) {
	if before.IsZero() {
		return 0, greenlight.Errorf(greenlight.CodeInvalid, "prune traffic: before which time?")
	}
	services, err := readAll(ctx, s, "prune traffic", scanID, `SELECT id FROM traffic_services ORDER BY id`)
	if err != nil {
		return 0, err
	}
	for _, id := range services {
		n, err := s.pruneTrafficOf(ctx, id, hourOf(before))
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (s *Store) pruneTrafficOf(ctx context.Context, service, before int64) (int, error) {
	const doing = "prune traffic"
	next := func(after int64) ([]int64, error) {
		return readAll(ctx, s, doing, scanID, `SELECT hour FROM traffic_hours WHERE service = ? AND hour > ? AND hour < ? ORDER BY hour LIMIT ?`,
			service, after, before, pruneTogether)
	}
	return s.pages(ctx, doing, next, func(tx *transaction, hours string) (int, error) {
		return tx.remove(fmt.Sprintf(`DELETE FROM traffic_hours WHERE service = %d AND hour IN (SELECT value FROM json_each(?))`, service), hours)
	})
}

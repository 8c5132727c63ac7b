package console

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

// eventRow is one event as a list shows it.
type eventRow struct {
	greenlight.Event
	Tone     string
	Path     string // of its service's page; "" when it is of none
	Evidence []fact
}

// Which is the end of the subject's name when the service's name begins it,
// as it does a replica's.
func (r eventRow) Which() string {
	if rest, ok := strings.CutPrefix(r.Subject, r.Service+"-"); ok && r.Service != "" {
		return "-" + rest
	}
	return ""
}

// Whom is what exactly an event is of, unless its message or Which says so.
func (r eventRow) Whom() string {
	if r.Which() != "" || strings.Contains(r.Message, r.Subject) {
		return ""
	}
	return r.Subject
}

// fact is one piece of evidence.
type fact struct{ Name, Value string }

func eventRows(events []greenlight.Event) []eventRow {
	rows := make([]eventRow, len(events))
	for i, e := range events {
		rows[i] = eventRow{Event: e, Tone: toneOfEvent(e.Kind), Evidence: factsOf(e.Evidence)}
		if e.Environment != "" && e.Service != "" {
			rows[i].Path = servicePath(e.Environment, e.Service)
		}
	}
	return rows
}

// tones find the colour of an event in the words of its kind; the first that
// fits counts.
var tones = []struct {
	tone  string
	words []string
}{
	{"stop", []string{"fail", "crash", "lost", "error", "alert", "refused", "died", "dead"}},
	{"hold", []string{"unready"}},
	{"go", []string{"ready", "promoted", "applied", "healed", "recovered", "restored", "done", "pass"}},
	{"hold", []string{"hold", "held", "degraded", "drift", "dropped", "revoked", "ended", "down"}},
	{"run", []string{"start", "scale", "stop", "restart", "route", "deploy", "release"}},
}

func toneOfEvent(kind string) string {
	for _, t := range tones {
		if slices.ContainsFunc(t.words, func(w string) bool { return strings.Contains(kind, w) }) {
			return t.tone
		}
	}
	return ""
}

func factsOf(evidence map[string]any) []fact {
	facts := make([]fact, 0, len(evidence))
	for name, value := range evidence {
		facts = append(facts, fact{name, factText(value)})
	}
	slices.SortFunc(facts, func(a, b fact) int { return strings.Compare(a.Name, b.Name) })
	return facts
}

func factText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// eventFilter is what a person wants to see of the history.
type eventFilter struct {
	Environment, Service, Kind, Text string
	Before                           int64 // 0 is from the newest on
}

// list gives a page of events, newest first, and where the next one begins:
// 0 when there is none. A text is looked for among the last eventsToScan
// events; when they are used up, the next page goes on with older ones.
func (f eventFilter) list(ctx context.Context, history Events) (page []greenlight.Event, next int64, err error) {
	q := store.EventQuery{Environment: f.Environment, Service: f.Service, Kind: f.Kind, Before: f.Before, Newest: true}
	q.Limit = eventsPerPage + 1
	if f.Text != "" {
		q.Limit = 500
	}
	for scanned := 0; scanned < eventsToScan; scanned += q.Limit {
		batch, err := history.ListEvents(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range batch {
			if f.Text != "" && !mentions(e, f.Text) {
				continue
			}
			if len(page) == eventsPerPage {
				return page, page[len(page)-1].ID, nil
			}
			page = append(page, e)
		}
		if len(batch) < q.Limit {
			return page, 0, nil
		}
		q.Before = batch[len(batch)-1].ID
	}
	return page, q.Before, nil
}

// mentions tells whether an event says text anywhere, in any case.
func mentions(e greenlight.Event, text string) bool {
	text = strings.ToLower(text)
	said := []string{e.Message, e.Kind, e.Service, e.Subject, e.Actor}
	for _, f := range factsOf(e.Evidence) {
		said = append(said, f.Name, f.Value)
	}
	return slices.ContainsFunc(said, func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

// eventsPage is the history with the filter that made it.
type eventsPage struct {
	eventFilter
	Events       []eventRow
	Environments []string
	Services     []string
	Kinds        []string // that the page shows
	Older        string   // address of the next page; "" at the end
	Newest       string   // address of the newest events with this filter
}

// Filtered tells whether some events may be left out.
func (f eventFilter) Filtered() bool { return f.Environment+f.Service+f.Kind+f.Text != "" }

func eventsOf(f eventFilter, events []greenlight.Event, next int64, status control.Status) eventsPage {
	p := eventsPage{eventFilter: f, Events: eventRows(events), Newest: f.path(0)}
	if next > 0 {
		p.Older = f.path(next)
	}
	for _, e := range events {
		if !slices.Contains(p.Kinds, e.Kind) {
			p.Kinds = append(p.Kinds, e.Kind)
		}
	}
	slices.Sort(p.Kinds)
	for _, e := range status.Environments {
		p.Environments = append(p.Environments, e.Name)
		for _, s := range e.Services {
			if !slices.Contains(p.Services, s.Name) {
				p.Services = append(p.Services, s.Name)
			}
		}
	}
	slices.Sort(p.Services)
	return p
}

func (f eventFilter) path(before int64) string {
	q := url.Values{}
	for name, value := range map[string]string{"environment": f.Environment, "service": f.Service, "kind": f.Kind, "text": f.Text} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return "/events"
	}
	return "/events?" + q.Encode()
}

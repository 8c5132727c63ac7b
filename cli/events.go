package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

type eventsOptions struct {
	connectOptions
	follow, json               bool
	environment, service, kind string
	since                      time.Duration
	limit                      int
}

func newEvents(env Env) *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use:   "events [DIR]",
		Short: "Show what happened: who did what, and why",
		Long: `Show the events, oldest first: every change of state with who made it and why.
--json prints one object a line, with the evidence that a decision was taken on.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight events --since 1h
  greenlight events --service iris -f
  greenlight events --kind scaled --json | jq .evidence`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runEvents(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with new events until Ctrl-C")
	f.BoolVar(&o.json, "json", false, "print one JSON object a line")
	f.StringVar(&o.environment, "env", "", "only of this environment")
	f.StringVar(&o.service, "service", "", "only of this service")
	f.StringVar(&o.kind, "kind", "", "only of this kind, as replica.started")
	f.DurationVar(&o.since, "since", 0, "only those of the last time, as 1h (default: the last --limit)")
	f.IntVar(&o.limit, "limit", 100, "at most so many of the past, the newest ones")
	completeServices(cmd, "service")
	return cmd
}

func runEvents(ctx context.Context, env Env, o eventsOptions, dir string) error {
	if o.limit < 1 || o.limit > store.MaxRows || o.since < 0 {
		return &usageError{fmt.Errorf("--limit is from 1 to %d, and --since cannot be negative", store.MaxRows)}
	}
	c, err := o.connect(dir)
	if err != nil {
		return err
	}
	q := store.EventQuery{Environment: o.environment, Service: o.service, Kind: o.kind, Newest: true, Limit: o.limit}
	if o.since > 0 {
		q.Since = time.Now().Add(-o.since)
	}
	show := eventPrinter(env.Stdout, o.json)
	if o.follow {
		return c.FollowEvents(ctx, q, show)
	}
	events, err := c.Events(ctx, q)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) {
		if err := show(e); err != nil {
			return err
		}
	}
	return nil
}

// eventPrinter prints events as lines or as JSON.
func eventPrinter(w io.Writer, asJSON bool) func(greenlight.Event) error {
	if asJSON {
		return func(e greenlight.Event) error { return writeJSONLine(w, e) }
	}
	p := paletteFor(w)
	return func(e greenlight.Event) error {
		_, err := fmt.Fprintln(w, eventLine(p, e))
		return err
	}
}

// eventLine is an event for a person: when, where, what, by whom.
func eventLine(p palette, e greenlight.Event) string {
	where := strings.Trim(e.Environment+"/"+e.Service, "/")
	if where != "" {
		where += "  "
	}
	by := ""
	if strings.HasPrefix(e.Actor, "user:") || strings.HasPrefix(e.Actor, "token:") {
		by = p.paint(dim, " (by "+tame(e.Actor)+")")
	}
	return fmt.Sprintf("%s  %s%s%s", p.paint(dim, eventTime(e.Time)), p.paint(eventColour(e.Kind), where), oneLine(eventText(e)), by)
}

// eventText says what happened. The message of a step that was taken is only
// its reason; what was done stands in the kind and the subject.
func eventText(e greenlight.Event) string {
	what, verb, ok := strings.Cut(e.Kind, ".")
	if !ok || what != "replica" && what != "service" || e.Subject != "" && strings.Contains(e.Message, e.Subject) {
		return e.Message
	}
	return strings.TrimSpace(e.Subject+" "+strings.ReplaceAll(verb, "_", " ")) + ": " + e.Message
}

// eventTime is short for today.
func eventTime(t time.Time) string {
	t = t.Local()
	if now := time.Now(); t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

func eventColour(kind string) colour {
	switch {
	case strings.Contains(kind, "fail"), strings.Contains(kind, "crash"), strings.Contains(kind, "ended"):
		return red
	case strings.Contains(kind, "ready"):
		return green
	}
	return plain
}

// writeJSONLine prints v as one line.
func writeJSONLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/load/postgres"
	"github.com/greenlight-dev/greenlight/measure"
)

// stageFlags name what replicas share.
type stageFlags struct {
	stages, scripts, behindCache []string
}

func (o *stageFlags) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.stages, "stage", nil, "NAME=URL of something on this machine that all replicas share, measured alone: http://… or postgres://…; may be given several times")
	f.StringArrayVar(&o.scripts, "stage-sql", nil, "NAME=FILE of the SQL that one request has the stage NAME do, a PostgreSQL database; counted is how often a second all of it is done")
	f.StringArrayVar(&o.behindCache, "behind-cache", nil, "NAME of a stage that what the response cache answers (--cache-hit-rate) does not get to")
}

// sharedStage is a stage by HTTP or, where database is set, the repetition of a
// script.
type sharedStage struct {
	name     string
	url      string // or a path of the temporary system's gateway
	database *postgres.Database
	script   *postgres.Script

	behindCache bool
}

// parse reads what the flags name, before anything runs. What a URL of a
// database holds is not repeated: it may be a password.
func (o *stageFlags) parse(ctx context.Context) ([]sharedStage, error) {
	var stages []sharedStage
	for _, text := range o.stages {
		name, where, found := strings.Cut(text, "=")
		if !found || name == "" || where == "" || strings.Contains(name, "/") {
			return nil, &usageError{fmt.Errorf("--stage: want NAME=URL, as database=postgres://app@127.0.0.1:5432/shop")}
		}
		if named(stages, name) != nil {
			return nil, &usageError{fmt.Errorf("--stage %s: the name is given twice", name)}
		}
		s := sharedStage{name: name, url: where}
		if err := s.find(ctx); err != nil {
			return nil, err
		}
		stages = append(stages, s)
	}
	for _, name := range o.behindCache {
		s := named(stages, name)
		if s == nil {
			return nil, &usageError{fmt.Errorf("--behind-cache %s: there is no --stage of that name", name)}
		}
		s.behindCache = true
	}
	return stages, o.readScripts(stages)
}

// find takes the URL as what it is of.
func (s *sharedStage) find(ctx context.Context) error {
	if !postgres.IsURL(s.url) {
		if scheme, _, found := strings.Cut(s.url, "://"); found && scheme != "http" && scheme != "https" {
			return &usageError{fmt.Errorf("--stage %s: the URL is neither http://HOST:PORT/PATH nor postgres://USER@HOST:PORT/DATABASE", s.name)}
		}
		return nil
	}
	var err error
	if s.database, err = postgres.Parse(ctx, s.url); err == nil {
		return nil
	}
	return misused(fmt.Errorf("--stage %s: %w", s.name, err))
}

func (o *stageFlags) readScripts(stages []sharedStage) error {
	for _, text := range o.scripts {
		name, file, found := strings.Cut(text, "=")
		s := named(stages, name)
		switch {
		case !found || file == "":
			return &usageError{fmt.Errorf("--stage-sql %q: want NAME=FILE, as database=checkout.sql", text)}
		case s == nil || s.database == nil:
			return &usageError{fmt.Errorf("--stage-sql %s: no stage of that name is a PostgreSQL database; add --stage %s=postgres://USER@127.0.0.1:5432/DATABASE", name, name)}
		case s.script != nil:
			return &usageError{fmt.Errorf("--stage-sql %s: the name is given twice; one file holds all that a request does", name)}
		}
		var err error
		if s.script, err = postgres.ReadScript(file); err != nil {
			return fmt.Errorf("--stage-sql %s: %w", name, err)
		}
	}
	for _, s := range stages {
		if s.database != nil && s.script == nil {
			return &usageError{fmt.Errorf("--stage %s: what does one request do there? give its statements by --stage-sql %s=FILE", s.name, s.name)}
		}
	}
	return nil
}

func named(stages []sharedStage, name string) *sharedStage {
	for i := range stages {
		if stages[i].name == name {
			return &stages[i]
		}
	}
	return nil
}

func stageNames(stages []sharedStage) []string {
	var names []string
	for i := range stages {
		names = append(names, stages[i].name)
	}
	return names
}

// mark notes of what was measured which stages are behind the cache.
func mark(found []plan.Stage, stages []sharedStage) {
	for i := range found {
		if s := named(stages, found[i].Name); s != nil {
			found[i].BehindCache = s.behindCache
		}
	}
}

// place is where the stage is, and what a reader of the plan has to know of it.
// A script is tried once, now that the system runs: its programs may make the
// tables.
func (s *sharedStage) place(ctx context.Context, base string, timeout time.Duration) (measure.Place, []string, error) {
	if s.database == nil {
		where := s.url
		if strings.HasPrefix(where, "/") {
			where = base + where
		}
		place, err := httpPlace(ctx, where, timeout)
		return place, nil, err
	}
	about, err := s.database.Try(ctx, s.script, timeout)
	if err != nil {
		return measure.Place{}, nil, err
	}
	return measure.Place{Operation: s.database.Operation(s.script, timeout), Room: s.database.Room, Timeout: timeout}, s.notes(about), nil
}

func (s *sharedStage) notes(about postgres.About) []string {
	notes := []string{fmt.Sprintf("The stage %s is the %s (PostgreSQL %s), measured alone: one operation is %s, %s sent together, and counts as what one request does there.",
		s.name, s.database, about.Version, s.script.Name(), plan.Count(about.Statements, "statement"))}
	if len(about.Risky) > 0 {
		notes = append(notes, fmt.Sprintf("The %s was measured with %s off, so it writes faster than one that must not lose anything.", s.database, strings.Join(about.Risky, " and ")))
	}
	return notes
}

// httpPlace is a stage at a URL of this machine.
func httpPlace(ctx context.Context, url string, timeout time.Duration) (measure.Place, error) {
	target, err := load.ParseTarget(ctx, url)
	if err != nil {
		return measure.Place{}, err
	}
	if !target.Loopback() {
		return measure.Place{}, greenlight.Errorf(greenlight.CodeRefused, "%s is not this machine; a stage is loaded to its limit, so measure one that serves nobody", target.Address)
	}
	mix, err := load.NewMix(target, []load.Request{{}}, nil, true, 1)
	return measure.Place{Target: target, Mix: mix, Timeout: timeout}, err
}

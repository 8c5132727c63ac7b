package stories_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/load/postgres/postgrestest"
	"github.com/greenlight-dev/greenlight/measure"
)

// TestDatabaseFlatLines: every order takes its number from the same row, and
// keeps the row until it is paid for. One is paid for in 20 ms, so that fewer
// than 50 a second can be, on any machine; without the row it is hundreds.
func TestDatabaseFlatLines(t *testing.T) {
	s := newStory(t, "02-database-flat-lines", "orders", "DATABASE_URL="+postgrestest.Start(t))

	s.up("ORDER_NUMBERS=counter")
	screen := s.refuses(`(?m)^knee>=100/s not met: [1-4]?\d(\.\d+)?/s$`,
		`(?m)^bottleneck: something that all requests wait for: replicas used only [\d.]+ % of their CPU while \d+ requests waited in them: a lock`)
	if strings.Contains(screen, "locks up") {
		t.Error("it is slow, and not locked up")
	}

	s.up("ORDER_NUMBERS=sequence")
	s.passes(`(?m)^knee>=100/s met: 1\d\d`)
}

// TestDatabaseFlatLinesPlan: nobody says that replicas share a row, and a plan
// names it nevertheless, because processor time does not help. Where it cannot
// measure that, on a machine that others use up or without control groups, it
// has to say so instead of naming something else.
func TestDatabaseFlatLinesPlan(t *testing.T) {
	s := newStory(t, "02-database-flat-lines", "orders", "DATABASE_URL="+postgrestest.Start(t), "ORDER_NUMBERS=counter")
	screen, planned := s.plans("--duration", "800ms")
	if !planned {
		return
	}
	var plan struct {
		Bottleneck struct {
			Name  string
			Limit float64
		}
	}
	s.readJSON("plan.json", &plan)
	if b := plan.Bottleneck; b.Name != measure.Hidden || b.Limit < 5 || b.Limit > 50 {
		t.Errorf("the bottleneck is %+v, want the %s at 5 to 50 orders a second", b, measure.Hidden)
	}
	s.shows(screen, `because\s+of\s+the\s+shared\s+wait`)
}

// TestDatabaseMeasuredAlone: told what an order does in the database, a plan
// has its ceiling, which is that of the row, and no password.
func TestDatabaseMeasuredAlone(t *testing.T) {
	url := postgrestest.Start(t)
	s := newStory(t, "02-database-flat-lines", "orders", "DATABASE_URL="+url, "ORDER_NUMBERS=counter", "PGPASSWORD=open sesame")
	screen, planned := s.plans("--duration", "400ms", "--stage", "database="+url, "--stage-sql", "database=order.sql", "--behind-cache", "database")
	s.shows(screen, `stage database alone: at most [1-4]?\d(\.\d+)?/s|the measurement is void: stage|control groups`)
	if !planned {
		return
	}
	var e struct {
		Evidence struct {
			Stages []plan.Stage
		}
	}
	s.readJSON("evidence.json", &e)
	at := slices.IndexFunc(e.Evidence.Stages, func(s plan.Stage) bool { return s.Name == "database" })
	if at < 0 || e.Evidence.Stages[at].Ceiling < 2 || e.Evidence.Stages[at].Ceiling > 50 || !e.Evidence.Stages[at].BehindCache {
		t.Errorf("the stages are %+v, want the database at 2 to 50 orders a second, behind the cache", e.Evidence.Stages)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "capacity", "plan.md"))
	if err != nil {
		t.Fatal(err)
	}
	s.shows(string(text), `one operation is order\.sql, 5 statements sent together`, `was measured with fsync off`)
	if err := fs.WalkDir(os.DirFS(s.dir), "capacity", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(s.dir, path))
		if strings.Contains(string(text), "sesame") {
			t.Errorf("%s holds the password", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// plans makes a plan of the orders. There is none where the machine does not let
// it be made, on which others use it up or without control groups, and that is
// said.
func (s *story) plans(args ...string) (screen string, planned bool) {
	s.t.Helper()
	code, screen := s.run(append([]string{
		"capacity", "plan", "orders", "--path", "/orders", "--method", "POST", "--expect-status", "201",
		"--rate", "100", "--slo", "p99<500ms", "--cpu", "0.1", "--rounds", "1", "--clients", "2",
		"--warmup", "200ms", "--wait", "10s", "--out", filepath.Join(s.dir, "capacity"),
	}, args...)...)
	s.t.Logf("exit code %d\n%s", code, screen)
	if code != 0 && !strings.Contains(screen, "the measurement is void") && !strings.Contains(screen, "control groups") {
		s.t.Errorf("exit code %d, neither with a plan nor with why there is none", code)
	}
	return screen, code == 0
}

func (s *story) readJSON(file string, to any) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "capacity", file))
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

package stories_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/greenlight-dev/greenlight/measure"
)

// TestDatabaseFlatLines: every order takes its number from the same row, and
// keeps the row until it is paid for. One is paid for in 20 ms, so that fewer
// than 50 a second can be, on any machine; without the row it is hundreds.
func TestDatabaseFlatLines(t *testing.T) {
	s := newStory(t, "02-database-flat-lines", "orders", "DATABASE_URL="+startDatabase(t))

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
	s := newStory(t, "02-database-flat-lines", "orders", "DATABASE_URL="+startDatabase(t), "ORDER_NUMBERS=counter")
	code, screen := s.run("capacity", "plan", "orders", "--path", "/orders", "--method", "POST", "--expect-status", "201",
		"--rate", "100", "--slo", "p99<500ms", "--cpu", "0.1", "--rounds", "1", "--clients", "2",
		"--warmup", "200ms", "--duration", "800ms", "--wait", "10s", "--out", filepath.Join(s.dir, "capacity"))
	t.Logf("exit code %d\n%s", code, screen)
	if code != 0 {
		if !strings.Contains(screen, "the measurement is void") && !strings.Contains(screen, "control groups") {
			t.Errorf("exit code %d, neither with a plan nor with why there is none", code)
		}
		return
	}
	var plan struct {
		Bottleneck struct {
			Name  string
			Limit float64
		}
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "capacity", "plan.json"))
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if b := plan.Bottleneck; err != nil || b.Name != measure.Hidden || b.Limit < 5 || b.Limit > 50 {
		t.Errorf("the bottleneck is %+v (%v), want the %s at 5 to 50 orders a second", b, err, measure.Hidden)
	}
	s.shows(screen, `because\s+of\s+the\s+shared\s+wait`)
}

// startDatabase runs an empty PostgreSQL, as a reader would, until the test
// ends, and gives its URL.
func startDatabase(t *testing.T) string {
	t.Helper()
	port := freePort(t)
	c := exec.Command("02-database-flat-lines/database.sh", port)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt) // it may have ended by itself, which is told here
		if err := <-ended; err != nil {
			t.Errorf("database.sh: %v\n%s", err, said.Bytes())
		}
	})
	url := "postgres://orders@127.0.0.1:" + port + "/postgres"
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // it may have to be installed
	defer cancel()
	for !answers(ctx, url) {
		if len(ended) > 0 || ctx.Err() != nil {
			t.Fatal("PostgreSQL does not answer")
		}
		time.Sleep(50 * time.Millisecond)
	}
	return url
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return false
	}
	return c.Close(ctx) == nil
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

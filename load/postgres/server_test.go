package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/load/postgres"
	"github.com/greenlight-dev/greenlight/load/postgres/postgrestest"
)

const tables = `CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO counter SELECT i, 0 FROM generate_series(1, 100) i;
CREATE ROLE app LOGIN CONNECTION LIMIT 10 PASSWORD 'sesame';
GRANT ALL ON counter TO app`

// TestServer is one test, as a server takes a second to start.
func TestServer(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	alone(t)
	url := postgrestest.Start(t)
	postgrestest.Exec(t, url, tables)
	asApp := strings.Replace(url, "orders@", "app@", 1)
	t.Run("try", func(t *testing.T) { try(t, url) })
	t.Run("room", func(t *testing.T) { room(t, url, asApp) })
	t.Run("load", func(t *testing.T) { repeat(t, url, asApp) })
	t.Run("failures", func(t *testing.T) { failures(t, url) })
	t.Run("timeout", func(t *testing.T) { timeout(t, url) })
	t.Run("password", func(t *testing.T) { password(t, url, asApp) })
}

func database(t *testing.T, url string) *postgres.Database {
	t.Helper()
	d, err := postgres.Parse(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func script(t *testing.T, text string) *postgres.Script {
	t.Helper()
	s, err := postgres.ReadScript(write(t, "checkout.sql", text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func try(t *testing.T, url string) {
	d := database(t, url)
	about, err := d.Try(t.Context(), script(t, "BEGIN;\nUPDATE counter SET n = n + 1 WHERE id = 1;\nSELECT generate_series(1, 1000); -- é\nCOMMIT;\n"), 10*time.Second)
	if err != nil || about.Statements != 4 || about.Version == "" || strings.Join(about.Risky, " ") != "fsync" {
		t.Errorf("%+v, %v", about, err)
	}
	for text, want := range map[string]string{
		"-- é\nSELECT 'é';\nSELECT x\nFROM counter;": `/checkout.sql:3: column "x" does not exist (SQLSTATE 42703)`,
		"SELECT 1;\nSELEC 2":                         `/checkout.sql:2: syntax error at or near "SELEC" (SQLSTATE 42601)`,
		"SELECT 1;\nSELECT 1 / 0":                    "/checkout.sql: division by zero (SQLSTATE 22012)",
		"BEGIN; SELECT 1":                            "/checkout.sql: it leaves its transaction open; end it with COMMIT",
		"-- nothing":                                 "/checkout.sql holds no statement",
	} {
		_, err := d.Try(t.Context(), script(t, text), 10*time.Second)
		if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"SELECT pg_sleep(60)":     "did not end within",
		"COPY counter FROM STDIN": "statements that read from the client",
	} {
		if _, err := d.Try(t.Context(), script(t, text), 300*time.Millisecond); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one that says: %s", text, err, want)
		}
	}
	nobody := database(t, strings.Replace(url, "orders@", "nobody@", 1))
	if _, err := nobody.Try(t.Context(), script(t, "SELECT 1"), 10*time.Second); greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), `role "nobody" does not exist (SQLSTATE 28000); the password comes from PGPASSWORD`) {
		t.Errorf("no such user: %v", err)
	}
}

func room(t *testing.T, url, asApp string) {
	hasRoom(t, url, 197, "max_connections is 200, 3 are reserved")
	hasRoom(t, asApp, 10, "the connection limit of the user app is 10")
	other, err := pgconn.Connect(t.Context(), asApp)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	hasRoom(t, asApp, 9, "the connection limit of the user app is 10, 1 in use")
	full(t, asApp)
}

// full asks for one more connection than the user may have: who waits gets it
// when another is closed.
func full(t *testing.T, asApp string) {
	operation := database(t, asApp).Operation(script(t, "SELECT 1"), time.Minute)
	var open []load.Connection
	for range 9 {
		c, err := operation.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := operation.Connect(ctx); err == nil || !strings.Contains(err.Error(), `too many connections for role "app"`) {
		t.Errorf("the eleventh connection: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, open[0].Close)
	c, err := operation.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(open[1:], c) {
		c.Close()
	}
}

// hasRoom waits until the database has that much: a process of PostgreSQL ends
// a little after its connection.
func hasRoom(t *testing.T, url string, want int, because string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n, why, err := database(t, url).Room(t.Context())
		if err == nil && n == want && why == because {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Errorf("room for %d because %s (%v), want %d because %s", n, why, err, want, because)
			return
		}
	}
}

// repeat loads a lock that is held for 10 ms: no machine carries more than
// 100/s, however many ask.
func repeat(t *testing.T, url, asApp string) {
	d := database(t, asApp)
	lock := script(t, "BEGIN;\nUPDATE counter SET n = n + 1 WHERE id = 7;\nSELECT pg_sleep(0.01);\nCOMMIT;\n")
	r, err := load.Run(t.Context(), load.Options{
		Operation: d.Operation(lock, 10*time.Second), Clients: 3, Timeout: 10 * time.Second,
		Warmup: 100 * time.Millisecond, Duration: 700 * time.Millisecond, KeepGoing: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests < 3 || r.Goodput > 105 || r.Errors != 0 || r.Failure != "" || r.Connections != 3 || r.Statuses["DONE"] != r.Requests || r.Protocol != "PostgreSQL" ||
		r.Target != d.String() || r.Service.Min < 0.009 || len(r.Routes) != 1 || r.Routes[0].Name != "checkout.sql" || r.Routes[0].Code != "DONE" {
		t.Errorf("%d operations, %v/s: %+v", r.Requests, r.Goodput, r)
	}
	hasRoom(t, url, 197, "max_connections is 200, 3 are reserved")
}

// failures are answers: the connection goes on, and what was begun is undone.
func failures(t *testing.T, url string) {
	d := database(t, url)
	postgrestest.Exec(t, url, "UPDATE counter SET n = 0")
	bad := script(t, "BEGIN;\nUPDATE counter SET n = n + 1 WHERE id = 9;\nSELECT pg_sleep(0.01), 1 / (n - n) FROM counter WHERE id = 9;\nCOMMIT;\n")
	r, err := load.Run(t.Context(), load.Options{
		Operation: d.Operation(bad, 10*time.Second), Clients: 2, Timeout: 10 * time.Second, Duration: 200 * time.Millisecond, KeepGoing: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Errors != r.Requests || r.Statuses["FAILED"] != r.Requests || r.Connections != 2 || !strings.HasSuffix(r.Failure, "checkout.sql: division by zero (SQLSTATE 22012)") {
		t.Errorf("%d of %d failed, with %d connections: %s", r.Errors, r.Requests, r.Connections, r.Failure)
	}
	check := script(t, "SELECT 1 / (CASE WHEN n = 0 THEN 1 ELSE 0 END) FROM counter WHERE id = 9")
	if _, err := d.Try(t.Context(), check, 10*time.Second); err != nil {
		t.Errorf("what failed was kept: %v", err)
	}
}

// timeout is no answer: PostgreSQL is told to stop, and nothing waits for it.
func timeout(t *testing.T, url string) {
	d := database(t, url)
	begin := time.Now()
	r, err := load.Run(t.Context(), load.Options{
		Operation: d.Operation(script(t, "SELECT pg_sleep(600)"), 100*time.Millisecond), Clients: 2, Timeout: 100 * time.Millisecond,
		Duration: 400 * time.Millisecond, KeepGoing: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Errors == 0 || r.Errors != r.Requests || r.ErrorKinds[load.KindTimeout] != r.Errors || time.Since(begin) > time.Minute {
		t.Errorf("%d of %d failed (%v) after %s: %s", r.Errors, r.Requests, r.ErrorKinds, time.Since(begin), r.Failure)
	}
	hasRoom(t, url, 197, "max_connections is 200, 3 are reserved")
}

// wantsPassword has the server ask the user app for one.
const wantsPassword = `DO $$ BEGIN
  EXECUTE format('COPY (VALUES (''host all app 127.0.0.1/32 scram-sha-256''), (''host all all 127.0.0.1/32 trust'')) TO %L', current_setting('hba_file'));
  PERFORM pg_reload_conf();
END $$`

func password(t *testing.T, url, asApp string) {
	postgrestest.Exec(t, url, wantsPassword)
	s := script(t, "SELECT 1")
	try := func() error {
		_, err := database(t, asApp).Try(t.Context(), s, 10*time.Second)
		return err
	}
	err := try()
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); err = try() {
		time.Sleep(20 * time.Millisecond) // until the server has read it
	}
	if err == nil || !strings.Contains(err.Error(), "the password comes from PGPASSWORD, ~/.pgpass (PGPASSFILE) or a service file") {
		t.Errorf("without a password: %v", err)
	}
	t.Setenv("PGPASSFILE", write(t, "pgpass", "127.0.0.1:*:*:app:sesame\n"))
	if err := try(); err != nil {
		t.Errorf("with the one of a file: %v", err)
	}
	t.Setenv("PGPASSWORD", "open sesame")
	if err := try(); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("with a wrong one: %v", err)
	}
	t.Setenv("PGPASSWORD", "sesame")
	if err := try(); err != nil {
		t.Errorf("with the right one: %v", err)
	}
}

package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	greenlight "github.com/greenlight-dev/greenlight"
)

// About is what there is to know of a database and a script before it is
// measured.
type About struct {
	Version    string // of PostgreSQL, as 16.4
	Statements int
	// Risky are the settings by which it writes faster than one that must not
	// lose anything.
	Risky []string
}

// Try carries the script out once, as Operation does, and tells what it found.
func (d *Database) Try(ctx context.Context, s *Script, timeout time.Duration) (About, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := d.connect(ctx, timeout)
	if err != nil {
		return About{}, greenlight.Errorf(greenlight.CodeUnavailable, "%s: %w", d, err)
	}
	defer end(conn)
	about := About{}
	about.Version, _, _ = strings.Cut(conn.ParameterStatus("server_version"), " ") // without who built it
	if about.Statements, err = count(conn.Exec(ctx, s.text)); err == nil {
		err = (&session{conn, s}).rollBack()
	}
	switch {
	case ctx.Err() != nil, tookTooLong(err):
		return about, greenlight.Errorf(greenlight.CodeUnavailable, "%s did not end within %s; statements that read from the client, as COPY … FROM STDIN, cannot be repeated", s.path, timeout)
	case err != nil:
		return about, greenlight.WithCode(greenlight.CodeInvalid, s.explain(err))
	case about.Statements == 0:
		return about, greenlight.Errorf(greenlight.CodeInvalid, "%s holds no statement", s.path)
	}
	about.Risky, err = risky(ctx, conn)
	return about, err
}

// count reads all that a script answers, and counts the statements.
func count(answers *pgconn.MultiResultReader) (n int, err error) {
	for answers.NextResult() {
		if tag, err := answers.ResultReader().Close(); err == nil && tag.String() != "" {
			n++
		}
	}
	return n, answers.Close()
}

func risky(ctx context.Context, conn *pgconn.PgConn) ([]string, error) {
	row, err := one(ctx, conn, "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')")
	if err != nil {
		return nil, err
	}
	var list []string
	for i, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if row[i] == "off" {
			list = append(list, name)
		}
	}
	return list, nil
}

// one is the only row that a query of ours answers.
func one(ctx context.Context, conn *pgconn.PgConn, query string) ([]string, error) {
	results, err := conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "asking PostgreSQL for its settings: %w", err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "PostgreSQL does not tell its settings")
	}
	var row []string
	for _, v := range results[0].Rows[0] {
		row = append(row, string(v))
	}
	return row, nil
}

// Room is how many connections the database takes beside those that it has, at
// this moment, and what bounds them.
func (d *Database) Room(ctx context.Context) (connections int, why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := d.connect(ctx, 10*time.Second)
	if err != nil {
		return 0, "", greenlight.Errorf(greenlight.CodeUnavailable, "%s: %w", d, err)
	}
	defer end(conn)
	row, err := one(ctx, conn, roomQuery)
	if err != nil {
		return 0, "", err
	}
	n := make([]int, len(row))
	for i := range row {
		if n[i], err = strconv.Atoi(row[i]); err != nil {
			return 0, "", greenlight.Errorf(greenlight.CodeUnavailable, "PostgreSQL tells %q for a number of connections", row[i])
		}
	}
	connections, why = leastRoom([]bound{
		{"max_connections", n[0], n[1], n[2]},
		{"the connection limit of the user " + strings.TrimSpace(d.config.User), n[3], 0, n[4]},
		{"the connection limit of the database " + d.name(), n[5], 0, n[6]},
	})
	return connections, why, nil
}

// roomQuery is bounds and how many connections count towards each, this one
// among them. Users that are no superusers see of others no more than that they
// are there.
const roomQuery = `SELECT current_setting('max_connections'),
  current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int,
  (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL),
  CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END,
  (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid = r.oid),
  CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END,
  (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid)
FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()`

// bound is a limit on connections; most is below 0 where there is none.
type bound struct {
	name                 string
	most, reserved, used int
}

// leastRoom is what the tightest bound leaves when the connection that asked is
// closed.
func leastRoom(bounds []bound) (room int, why string) {
	for i, b := range bounds {
		left := max(0, b.most-b.reserved-b.used+1)
		if b.most < 0 || i > 0 && left >= room {
			continue
		}
		room, why = left, fmt.Sprintf("%s is %d", b.name, b.most)
		if b.reserved > 0 {
			why += fmt.Sprintf(", %d are reserved", b.reserved)
		}
		if b.used > 1 {
			why += fmt.Sprintf(", %d in use", b.used-1)
		}
	}
	return room, why
}

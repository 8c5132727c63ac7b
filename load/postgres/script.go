package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// MaxScript bounds the file of a script, in bytes.
const MaxScript = 1 << 20

// Script is the statements of a file. They are sent together, and PostgreSQL
// carries them out in order: as one transaction, unless BEGIN and COMMIT among
// them say otherwise.
type Script struct {
	path, text string
}

// ReadScript reads a file of at most MaxScript bytes of UTF-8.
func ReadScript(path string) (*Script, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxScript+1))
	invalid := func(what string, args ...any) (*Script, error) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%s "+what, append([]any{path}, args...)...)
	}
	switch {
	case err != nil:
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	case len(text) > MaxScript:
		return invalid("has more than %d bytes; what one request does is shorter", MaxScript)
	case !utf8.Valid(text) || strings.ContainsRune(string(text), 0):
		return invalid("is not UTF-8 text")
	case strings.TrimSpace(string(text)) == "":
		return invalid("is empty; write the statements of one operation into it")
	}
	return &Script{path: path, text: string(text)}, nil
}

// Name is the file without its folder.
func (s *Script) Name() string { return filepath.Base(s.path) }

// explain puts the file, and the line where PostgreSQL names one, before what
// it said.
func (s *Script) explain(err error) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	where := s.path
	if said.Position > 0 {
		where = fmt.Sprintf("%s:%d", s.path, s.line(int(said.Position)))
	}
	return fmt.Errorf("%s: %s (SQLSTATE %s)", where, said.Message, said.Code)
}

// line is that of a character; both count from 1.
func (s *Script) line(character int) int {
	line := 1
	for _, r := range s.text {
		if character--; character <= 0 {
			break
		}
		if r == '\n' {
			line++
		}
	}
	return line
}

// tookTooLong is what PostgreSQL says (query_canceled) of a statement that it
// ended.
func tookTooLong(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) && said.Code == "57014"
}

// session is one connection that repeats a script.
type session struct {
	conn   *pgconn.PgConn
	script *Script
}

// Operation is the script on the database, for a load test. An operation, and
// each of its statements, may take as long as timeout.
func (d *Database) Operation(s *Script, timeout time.Duration) *load.Operation {
	return &load.Operation{
		Name: s.Name(), Target: d.String(), Protocol: "PostgreSQL",
		Connect: func(ctx context.Context) (load.Connection, error) {
			conn, err := d.connect(ctx, timeout)
			if err != nil {
				return nil, err
			}
			return &session{conn, s}, nil
		},
	}
}

// Do sends the script and reads all that it answers.
func (c *session) Do() error {
	err := c.conn.Exec(context.Background(), c.script.text).Close()
	if open := c.rollBack(); err == nil {
		err = open
	}
	var said *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case tookTooLong(err):
		return fmt.Errorf("%w: %w", c.script.explain(err), context.DeadlineExceeded)
	case errors.As(err, &said) && !c.conn.IsClosed(), errors.Is(err, errOpen):
		return &load.AnswerError{Err: c.script.explain(err)}
	}
	return c.script.explain(err)
}

// errOpen is a script that ends within a transaction.
var errOpen = errors.New("it leaves its transaction open; end it with COMMIT")

// rollBack ends a transaction that is open, which an error within BEGIN and
// COMMIT leaves, too: the next operation would be part of it.
func (c *session) rollBack() error {
	if c.conn.IsClosed() || c.conn.TxStatus() == 'I' {
		return nil
	}
	if err := c.conn.Exec(context.Background(), "ROLLBACK").Close(); err != nil {
		return err
	}
	return errOpen
}

// Expire lets whatever waits for the database fail.
func (c *session) Expire() { _ = c.conn.Conn().SetDeadline(time.Unix(1, 0)) }

// Close ends the connection.
func (c *session) Close() { end(c.conn) }

// Package postgres repeats the statements of a file on a PostgreSQL database of
// this machine, as an operation of a load test.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Database is one of this machine, and how it is connected to. A password comes
// from PGPASSWORD, PGPASSFILE or ~/.pgpass, or a service file, as for libpq.
type Database struct {
	config *pgconn.Config
}

// IsURL tells whether text is meant as the URL of a PostgreSQL database.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// Parse reads a URL as libpq has it. What the URL leaves out comes from PG…
// variables, as for psql. A URL with a password is CodeInvalid, a database of
// another machine CodeRefused. No error quotes the URL: it might hold a password
// where none is seen.
func Parse(ctx context.Context, text string) (*Database, error) {
	if holdsPassword(text) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the URL holds a password, which process lists and shell histories show; give it by PGPASSWORD, ~/.pgpass (PGPASSFILE) or a service file (postgres://?service=NAME)")
	}
	if !isPlain(text) {
		return nil, unreadable(nil)
	}
	config, err := pgconn.ParseConfig(text)
	if err != nil {
		return nil, unreadable(err)
	}
	if err := pin(ctx, config); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"application_name": "greenlight", "client_encoding": "UTF8"} {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	return &Database{config}, nil
}

// holdsPassword looks where a URL may have one: after the user, and among the
// parameters.
func holdsPassword(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' && strings.Contains(rest[:i], ":") {
		return true
	}
	_, query, _ := strings.Cut(rest, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(key); err == nil {
			key = name
		}
		if key = strings.ToLower(key); key == "password" || key == "sslpassword" {
			return true
		}
	}
	return false
}

// isPlain is false where an @ follows the user's: what stands before it may be
// a password with a / in it. Elsewhere an @ is written as %40.
func isPlain(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		rest = rest[i+1:]
	}
	return !strings.Contains(rest, "@")
}

// unreadable says of an error only what is no part of the URL.
func unreadable(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return greenlight.WithCode(greenlight.CodeInvalid, file)
	}
	return greenlight.Errorf(greenlight.CodeInvalid, "the URL, or a PG… variable or service file beside it, cannot be read; want postgres://USER@127.0.0.1:5432/DATABASE, and no password in it")
}

// pin looks the hosts up once, so that every connection goes to what was
// checked.
func pin(ctx context.Context, config *pgconn.Config) error {
	hosts := []string{config.Host}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	known := make(map[string][]string)
	for _, host := range hosts {
		if network, _ := pgconn.NetworkAddress(host, 0); network == "unix" || known[host] != nil {
			continue
		}
		var err error
		if known[host], err = lookUp(ctx, host); err != nil {
			return err
		}
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return known[host], nil }
	return nil
}

// lookUp gives the addresses of a host that is this machine.
func lookUp(ctx context.Context, host string) ([]string, error) {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "looking up %s: %w", host, err)
	}
	var list []string
	for _, a := range addresses {
		if !a.Unmap().IsLoopback() {
			return nil, greenlight.Errorf(greenlight.CodeRefused, "%s is not this machine; a stage is loaded to its limit, so measure one that serves nobody", host)
		}
		list = append(list, a.Unmap().String())
	}
	return list, nil
}

// String is the database without its user and parameters.
func (d *Database) String() string {
	c := d.config
	if network, address := pgconn.NetworkAddress(c.Host, c.Port); network == "unix" {
		return fmt.Sprintf("database %s at %s", d.name(), address)
	}
	return fmt.Sprintf("database %s at %s", d.name(), net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
}

// name is that of the user where none is given, as PostgreSQL has it.
func (d *Database) name() string {
	if d.config.Database != "" {
		return d.config.Database
	}
	return d.config.User
}

// connect opens a connection on which no statement takes longer than timeout.
func (d *Database) connect(ctx context.Context, timeout time.Duration) (*pgconn.PgConn, error) {
	config := d.config.Copy()
	config.RuntimeParams["statement_timeout"] = strconv.FormatInt(max(1, timeout.Milliseconds()), 10)
	var full error
	for {
		conn, err := pgconn.ConnectConfig(ctx, config)
		if err == nil {
			return conn, nil
		}
		var said *pgconn.PgError
		switch {
		case errors.As(err, &said) && said.Code == tooMany:
			full = err
		case full != nil && isOver(ctx):
			return nil, refused(full)
		default:
			return nil, refused(err)
		}
		select {
		case <-ctx.Done():
			return nil, refused(full)
		case <-time.After(again):
		}
	}
}

// isOver tells whether the time of ctx is over. A connection with its deadline
// may end a moment before ctx says so.
func isOver(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && !time.Now().Before(deadline)
}

// What PostgreSQL says (too_many_connections) also where others have just closed
// theirs, as replicas that are replaced do: it takes one a little later.
const (
	tooMany = "53300"
	again   = 20 * time.Millisecond
)

// refused is an error of connecting in one line; where PostgreSQL answered, it
// is what that said.
func refused(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		hint := ""
		if strings.HasPrefix(said.Code, "28") { // invalid authorization, of SQL's classes
			hint = "; the password comes from PGPASSWORD, ~/.pgpass (PGPASSFILE) or a service file"
		}
		return fmt.Errorf("%s (SQLSTATE %s)%s", said.Message, said.Code, hint)
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) && connecting.Unwrap() != nil {
		err = connecting.Unwrap()
	}
	return &oneLine{err}
}

// oneLine is the last line of an error. There is one for each way that was
// tried, without TLS after with it.
type oneLine struct{ error }

func (e *oneLine) Error() string {
	text := strings.TrimSpace(e.error.Error())
	return strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
}

func (e *oneLine) Unwrap() error { return e.error }

// end closes a connection, and waits until the server has, which counts it until
// then. A broken one is ended by pgconn, which asks the server to cancel what it
// was doing.
func end(conn *pgconn.PgConn) {
	if conn.IsClosed() {
		<-conn.CleanupDone()
		return
	}
	h, err := conn.Hijack()
	if err != nil { // it is in use
		_ = conn.Close(context.Background())
		return
	}
	defer h.Conn.Close()
	_ = h.Conn.SetDeadline(time.Now().Add(5 * time.Second))
	h.Frontend.Send(&pgproto3.Terminate{})
	if h.Frontend.Flush() == nil {
		_, _ = io.Copy(io.Discard, h.Conn)
	}
}

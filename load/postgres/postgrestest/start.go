// Package postgrestest runs a PostgreSQL server for tests.
package postgrestest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Start runs an empty PostgreSQL until the test ends, as a reader of the
// stories would, and gives the URL of its superuser. Where it is not installed,
// Debian's package is.
func Start(t *testing.T) (url string) {
	t.Helper()
	port := freePort(t)
	c := exec.Command(script(t), port)
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
	url = "postgres://orders@127.0.0.1:" + port + "/postgres"
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

// script is that of the story with a database.
func script(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source of this package is not known")
	}
	return filepath.Join(filepath.Dir(file), "../../../stories/02-database-flat-lines/database.sh")
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		return false
	}
	return c.Close(ctx) == nil
}

// Exec carries out statements.
func Exec(t *testing.T, url, statements string) {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	if err := c.Exec(t.Context(), statements).Close(); err != nil {
		t.Fatal(err)
	}
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

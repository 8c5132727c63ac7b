package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	greenlight "github.com/greenlight-dev/greenlight"
)

const (
	maxBody    = 1 << 20  // bytes of a request body
	maxTryBody = 8 << 20  // as the MiB that it may carry can be six times as long in JSON
	maxBackup  = 16 << 30 // bytes of a backup file
)

// backup streams the backup. A client sees a copy that broke off as a broken
// connection, never as a short file.
func (s *server) backup(w http.ResponseWriter, r *http.Request) *failure {
	out := &lateHeader{w: w}
	err := s.Plane.Backup(r.Context(), out)
	if err == nil && !out.begun {
		err = errors.New("the backup is empty")
	}
	if err == nil {
		return nil
	}
	if !out.begun {
		return failureOf(err)
	}
	s.Log.Error("backup broke off", "err", err)
	panic(http.ErrAbortHandler)
}

// lateHeader begins the answer with its first byte: until then it can still be
// an error.
type lateHeader struct {
	w     http.ResponseWriter
	begun bool
}

func (l *lateHeader) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/octet-stream")
		l.w.Header().Set("Content-Disposition", `attachment; filename="greenlight.backup"`)
	}
	return l.w.Write(p)
}

// restoring is a request with a backup file, which is not read before the
// plane does.
type restoring struct {
	file   io.Reader
	length string // as the client says it
}

// Resolve is how huma hands the request over.
func (in *restoring) Resolve(ctx huma.Context) []error {
	in.file, in.length = ctx.BodyReader(), ctx.Header("Content-Length")
	return nil
}

func (s *server) restore(ctx context.Context, in *restoring) error {
	var length int64
	if _, err := fmt.Sscan(in.length, &length); err == nil && length > maxBackup {
		return errBackupTooLarge
	}
	file := &boundedReader{r: in.file, left: maxBackup}
	err := s.Plane.Restore(ctx, file, actorOf(ctx))
	if err != nil && file.left < 0 {
		return errBackupTooLarge
	}
	return err
}

var errBackupTooLarge = newFailure(http.StatusRequestEntityTooLarge, greenlight.CodeInvalid,
	fmt.Sprintf("a backup may have %d GiB at most", maxBackup>>30))

// boundedReader fails where a longer file would be cut off.
type boundedReader struct {
	r    io.Reader
	left int64 // below 0: there was more
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errBackupTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, errBackupTooLarge
	}
	return n, err
}

package cli

import (
	"bufio"
	"errors"
	"io"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// format reads records and writes predictions of one file format.
type format interface {
	// read gives the next record, io.EOF at the end. Other errors begin with
	// the line.
	read() (record, error)
	// consumed is the number of input bytes read.
	consumed() int64
	// header is what stands before the first prediction and reject.
	header() (out, rejects []byte)
	// add puts a record into the batch.
	add(b *modelserver.Batch, r record) error
	// append writes records with their predictions.
	append(dst []byte, rows []record, a *modelserver.Answer) []byte
	// reject writes records that could not be predicted.
	reject(dst []byte, rows []rejected) []byte
}

// record is one input row as it came.
type record struct {
	line   int      // where it starts in the input, from 1
	text   []byte   // a JSON line
	fields []string // a CSV record
}

type rejected struct {
	record
	reason error
}

// maxRecord bounds the bytes of one row.
const maxRecord = 64 << 20

// openFormat starts reading in as the named format. Its errors begin with
// the line.
func openFormat(name string, in io.Reader, m *modelserver.Model) (format, error) {
	text := bufio.NewReaderSize(in, 1<<16)
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" { // as Excel begins its files
		_, _ = text.Discard(3)
	}
	if name == "csv" {
		return openCSV(text, m)
	}
	return openJSONLines(text, m)
}

// atLine says where in the input an error is.
func atLine(line int, err error) error {
	return greenlight.Errorf(greenlight.CodeInvalid, "%d: %w", line, err)
}

// reasonText is an error without the row's number within its batch, which
// means nothing to a reader of the file.
func reasonText(err error) string {
	var row *modelserver.RowError
	if errors.As(err, &row) {
		return row.Reason()
	}
	return err.Error()
}

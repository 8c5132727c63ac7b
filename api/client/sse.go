package client

import (
	"bufio"
	"bytes"
	"io"

	greenlight "github.com/greenlight-dev/greenlight"
)

// maxEvent is how many bytes one server-sent event may have.
const maxEvent = 64 << 20

// event is one server-sent event.
type event struct {
	name string
	id   string // the last one that was given
	data []byte // valid until the next event
}

// decoder reads server-sent events as the HTML standard (9.2.6) defines them.
type decoder struct {
	r     *bufio.Reader
	alive func() // called for every line
	line  []byte
	event event

	began       bool // the first line was read
	afterReturn bool // the last line ended with a carriage return
}

func newDecoder(r io.Reader, alive func()) *decoder {
	return &decoder{r: bufio.NewReaderSize(r, 32<<10), alive: alive}
}

var errEventTooLarge = greenlight.Errorf(greenlight.CodeUnsupported, "an event of the stream has more than %d MiB", maxEvent>>20)

// next gives the next event that has data; the error is io.EOF at the end, and
// an event that the end cuts off is none.
func (d *decoder) next() (event, error) {
	d.event.name, d.event.data = "", d.event.data[:0]
	hasData := false
	for {
		line, err := d.readLine()
		if err != nil {
			return event{}, err
		}
		d.alive()
		if len(line) == 0 {
			if hasData {
				return d.event, nil
			}
			d.event.name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			d.event.name = string(value)
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				d.event.id = string(value)
			}
		case "data":
			if hasData {
				d.event.data = append(d.event.data, '\n')
			}
			hasData = true
			if len(d.event.data)+len(value) > maxEvent {
				return event{}, errEventTooLarge
			}
			d.event.data = append(d.event.data, value...)
		}
	}
}

// readLine reads up to a line feed, a carriage return, or both; the line is
// valid until the next one.
func (d *decoder) readLine() ([]byte, error) {
	d.line = d.line[:0]
	for {
		if _, err := d.r.Peek(1); err != nil {
			return nil, err
		}
		part, _ := d.r.Peek(d.r.Buffered())
		if d.afterReturn {
			d.afterReturn = false
			if part[0] == '\n' {
				_, _ = d.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(part, "\r\n")
		if end < 0 {
			end = len(part)
		}
		if len(d.line)+end > maxEvent {
			return nil, errEventTooLarge
		}
		d.line = append(d.line, part[:end]...)
		if end == len(part) {
			_, _ = d.r.Discard(end)
			continue
		}
		d.afterReturn = part[end] == '\r' // its line feed may come later
		_, _ = d.r.Discard(end + 1)
		return d.withoutMark(), nil
	}
}

// withoutMark is the line, the first one without a byte order mark.
func (d *decoder) withoutMark() []byte {
	if d.began {
		return d.line
	}
	d.began = true
	return bytes.TrimPrefix(d.line, []byte("\xef\xbb\xbf"))
}

package modelserver

import (
	"context"
	"io"
	"net/http"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// predict answers POST /predict.
func (s *Server) predict(w http.ResponseWriter, r *http.Request) {
	m, err := s.model(r)
	if err != nil {
		writeError(w, err, http.StatusUnprocessableEntity)
		return
	}
	start := time.Now()
	m.metrics.predict.Inc()
	if err = m.SchemaErr; err == nil {
		c := m.calls.Get().(*call)
		if err = s.predictWith(r, m, c); err == nil {
			writeBody(w, http.StatusOK, c.answer)
		}
		m.putBack(c)
	}
	if err != nil {
		s.report(w, r, m, err, http.StatusUnprocessableEntity)
	}
	m.metrics.done(start, err)
}

// call is the memory of one request for predictions, reused.
type call struct {
	batch  *Batch
	body   []byte
	answer []byte
}

// keptBytes is the size of a body or an answer beyond which its call is not
// kept: a rare large request does not hold memory for good.
const keptBytes = 1 << 20

func (m *Model) putBack(c *call) {
	if cap(c.body) <= keptBytes && cap(c.answer) <= keptBytes {
		m.calls.Put(c)
	}
}

// predictWith leaves the answer in c.
func (s *Server) predictWith(r *http.Request, m *served, c *call) (err error) {
	if c.body, err = s.readBody(c.body[:0], r); err != nil {
		return err
	}
	c.batch.Reset()
	if err := c.batch.ReadJSON(c.body); err != nil {
		return err
	}
	var answer Answer
	err = s.compute(r.Context(), m, func() error {
		answer, err = m.Predict(r.Context(), c.batch)
		return err
	})
	if err != nil {
		return err
	}
	m.metrics.rows.Add(float64(answer.Rows()))
	c.answer = answer.appendAll(c.answer[:0], m.Name)
	return nil
}

// appendAll writes the whole response.
func (a *Answer) appendAll(dst []byte, model string) []byte {
	dst = append(dst, `{"model":`...)
	dst = appendText(dst, model)
	dst = append(dst, `,"predictions":[`...)
	for row := range a.rows {
		if row > 0 {
			dst = append(dst, ',')
		}
		dst = a.AppendJSON(dst, row)
	}
	return append(dst, "]}\n"...)
}

// compute runs the engine in a slot of the limiter, and measures both.
func (s *Server) compute(ctx context.Context, m *served, run func() error) error {
	waited, err := s.limiter.enter(ctx)
	if err != nil {
		return err
	}
	m.metrics.queue.Observe(waited.Seconds())
	defer s.limiter.leave()
	start := time.Now()
	err = run()
	m.metrics.engine.Observe(time.Since(start).Seconds())
	return err
}

// readBody appends the request's body to dst, within the limit.
func (s *Server) readBody(dst []byte, r *http.Request) ([]byte, error) {
	most := s.options.MaxBodyBytes
	if r.ContentLength > most {
		return dst, &tooLargeError{most}
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case int64(len(dst)) > most:
			return dst, &tooLargeError{most}
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, greenlight.Errorf(greenlight.CodeInvalid, "the body ended early: %w", err)
		}
	}
}

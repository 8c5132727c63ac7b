package load

import (
	"encoding/json"
	"io"

	greenlight "github.com/greenlight-dev/greenlight"
)

// MaxResultBytes bounds a result file.
const MaxResultBytes = 64 << 20

// ReadResult reads a result file.
func ReadResult(in io.Reader) (*Result, error) {
	data, err := io.ReadAll(io.LimitReader(in, MaxResultBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxResultBytes {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "it has more than %d bytes", MaxResultBytes)
	}
	r := &Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "it is no result of greenlight load: %w", err)
	}
	if r.Format != ResultFormat {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "its format is %q, want %q", clip(r.Format), ResultFormat)
	}
	for name, h := range map[string]**Histogram{"response": &r.ResponseTimes, "service": &r.ServiceTimes} {
		if *h, err = decodeHistogram(r.Times[name]); err != nil {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "histograms.%s: %w", name, err)
		}
	}
	return r, nil
}

package load

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// ReadHAR makes requests of a HAR file (HTTP Archive 1.2), which browsers
// write of what a page asked for, in its order. Those to the origin of the
// first are taken, whatever the target's name; others is how many went
// elsewhere and are left out. Headers that belong to a connection or a cache
// are left out, too; cookies and other secrets in the file are sent.
func ReadHAR(in io.Reader) (requests []Request, others int, err error) {
	var file struct {
		Log struct {
			Entries []struct {
				Request harRequest
			}
		}
	}
	data, err := io.ReadAll(io.LimitReader(in, MaxFileBytes+1))
	if err != nil {
		return nil, 0, err
	}
	if len(data) > MaxFileBytes {
		return nil, 0, greenlight.Errorf(greenlight.CodeInvalid, "it has more than %d bytes", MaxFileBytes)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, 0, greenlight.Errorf(greenlight.CodeInvalid, "it is no HAR file: %w", err)
	}
	origin := ""
	for i := range file.Log.Entries {
		r := &file.Log.Entries[i].Request
		u, err := url.Parse(r.URL)
		if err != nil || u.Host == "" {
			return nil, 0, greenlight.Errorf(greenlight.CodeInvalid, "entry %d: %q is no URL", i+1, clip(r.URL))
		}
		if origin == "" {
			origin = u.Scheme + "://" + u.Host
		}
		if u.Scheme+"://"+u.Host != origin {
			others++
			continue
		}
		if requests = append(requests, r.request(u)); len(requests) > MaxRequests {
			return nil, 0, greenlight.Errorf(greenlight.CodeInvalid, "more than %d requests", MaxRequests)
		}
	}
	if len(requests) == 0 {
		return nil, 0, greenlight.Errorf(greenlight.CodeInvalid, "it holds no requests")
	}
	return requests, others, nil
}

type harRequest struct {
	Method   string
	URL      string
	Headers  []Field
	PostData struct{ Text string }
}

func (h *harRequest) request(u *url.URL) Request {
	r := Request{Method: h.Method, Path: u.RequestURI(), Body: h.PostData.Text, Verbatim: true}
	for _, f := range h.Headers {
		name := strings.ToLower(f.Name)
		if !strings.HasPrefix(name, ":") && !slices.Contains(notReplayed, name) {
			r.Header = append(r.Header, f)
		}
	}
	return r
}

// notReplayed are header fields of a connection, of the client's own cache,
// or that the generator sets.
var notReplayed = []string{
	"host", "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "trailer", "te",
	"if-none-match", "if-modified-since", "accept-encoding",
}

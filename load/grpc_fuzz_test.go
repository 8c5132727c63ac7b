package load

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// FuzzInferCall: whatever a body is, it is refused or becomes a whole message.
func FuzzInferCall(f *testing.F) {
	f.Add("m", `{"id":"1","parameters":{"a":1,"b":true,"c":"d"},"inputs":[{"name":"x","datatype":"FP32","shape":[2,1],"data":[[1],[null]]}],"outputs":[{"name":"y"}]}`)
	f.Add("m/versions/2", `{"inputs":[{"name":"h","datatype":"FP16","shape":[2],"data":[1,6e-8]},{"name":"t","datatype":"BYTES","shape":[1],"data":["a"]}]}`)
	f.Fuzz(func(t *testing.T, model, body string) {
		r, err := InferCall(model, body, time.Second)
		if err != nil {
			return
		}
		for b := []byte(r.Body[grpcPrefix:]); len(b) > 0; {
			_, _, size := protowire.ConsumeField(b)
			if size < 0 {
				t.Fatalf("no message: %v", protowire.ParseError(size))
			}
			b = b[size:]
		}
	})
}

// FuzzReadGRPC: whatever a server answers is an answer or an error, in bounds.
func FuzzReadGRPC(f *testing.F) {
	f.Add("\x00\x00\x00\x00\x01m", "0", "application/grpc+proto", 200)
	f.Add("\x00\x00\x00\x00\x05m", "14", "application/grpc", 200)
	f.Add("", "-1", "text/html", 503)
	f.Fuzz(func(t *testing.T, body, status, kind string, code int) {
		resp := &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {kind}}, Trailer: http.Header{"Grpc-Status": {status}}}
		resp.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader(body)))
		var a answer
		message, err := readGRPC(resp, true, &a)
		if len(message) > len(body) || a.in > int64(len(body)) || err == nil && a.status != code && (a.status < grpcStatus || a.status >= grpcStatus+len(grpcCodes)) {
			t.Errorf("%q and status %q: %q, %+v, %v", body, status, message, a, err)
		}
	})
}

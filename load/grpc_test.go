package load_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/greenlight-dev/greenlight/load"
)

// inferProto is what a client sees of the protocol's messages, by the numbers
// of its published definition.
const inferProto = `
name: "infer.proto" package: "inference" syntax: "proto3"
message_type {
  name: "InferParameter"
  field { name: "bool_param" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "int64_param" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "string_param" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "choice" }
}
message_type {
  name: "InferTensorContents"
  field { name: "bool_contents" number: 1 type: TYPE_BOOL label: LABEL_REPEATED }
  field { name: "int_contents" number: 2 type: TYPE_INT32 label: LABEL_REPEATED }
  field { name: "int64_contents" number: 3 type: TYPE_INT64 label: LABEL_REPEATED }
  field { name: "uint_contents" number: 4 type: TYPE_UINT32 label: LABEL_REPEATED }
  field { name: "uint64_contents" number: 5 type: TYPE_UINT64 label: LABEL_REPEATED }
  field { name: "fp32_contents" number: 6 type: TYPE_FLOAT label: LABEL_REPEATED }
  field { name: "fp64_contents" number: 7 type: TYPE_DOUBLE label: LABEL_REPEATED }
  field { name: "bytes_contents" number: 8 type: TYPE_BYTES label: LABEL_REPEATED }
}
message_type {
  name: "ModelInferRequest"
  field { name: "model_name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "model_version" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "id" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "parameters" number: 4 type: TYPE_MESSAGE type_name: ".inference.ModelInferRequest.ParametersEntry" label: LABEL_REPEATED }
  field { name: "inputs" number: 5 type: TYPE_MESSAGE type_name: ".inference.ModelInferRequest.Input" label: LABEL_REPEATED }
  field { name: "outputs" number: 6 type: TYPE_MESSAGE type_name: ".inference.ModelInferRequest.Output" label: LABEL_REPEATED }
  field { name: "raw_input_contents" number: 7 type: TYPE_BYTES label: LABEL_REPEATED }
  nested_type {
    name: "ParametersEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_MESSAGE type_name: ".inference.InferParameter" label: LABEL_OPTIONAL }
  }
  nested_type {
    name: "Input"
    field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "datatype" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "shape" number: 3 type: TYPE_INT64 label: LABEL_REPEATED }
    field { name: "parameters" number: 4 type: TYPE_MESSAGE type_name: ".inference.ModelInferRequest.Input.ParametersEntry" label: LABEL_REPEATED }
    field { name: "contents" number: 5 type: TYPE_MESSAGE type_name: ".inference.InferTensorContents" label: LABEL_OPTIONAL }
    nested_type {
      name: "ParametersEntry" options { map_entry: true }
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "value" number: 2 type: TYPE_MESSAGE type_name: ".inference.InferParameter" label: LABEL_OPTIONAL }
    }
  }
  nested_type { name: "Output" field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } }
}
message_type {
  name: "ModelInferResponse"
  field { name: "model_name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
}`

// inferenceServer is a real server of gRPC that answers ModelInfer.
type inferenceServer struct {
	messages protoreflect.MessageDescriptors
	// infer gives the model's name in the answer, or an error; it may wait.
	infer func(ctx context.Context, in *dynamicpb.Message) (string, error)
}

func (s *inferenceServer) handle(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	in := dynamicpb.NewMessage(s.messages.ByName("ModelInferRequest"))
	if err := decode(in); err != nil {
		return nil, err
	}
	name, err := s.infer(ctx, in)
	if err != nil {
		return nil, err
	}
	out := dynamicpb.NewMessage(s.messages.ByName("ModelInferResponse"))
	out.Set(out.Descriptor().Fields().ByName("model_name"), protoreflect.ValueOfString(name))
	return out, nil
}

func serveInference(t *testing.T, infer func(context.Context, *dynamicpb.Message) (string, error), options ...grpc.ServerOption) string {
	t.Helper()
	var described descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(inferProto), &described); err != nil {
		t.Fatal(err)
	}
	file := must[protoreflect.FileDescriptor](t)(protodesc.NewFile(&described, nil))
	s := &inferenceServer{file.Messages(), infer}
	g := grpc.NewServer(options...)
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: "inference.GRPCInferenceService", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "ModelInfer", Handler: s.handle}},
	}, s)
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Serve(ln) }()
	t.Cleanup(func() { g.Stop(); <-done })
	return ln.Addr().String()
}

const inferBody = `{"id":"7","inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"data":[[1,2],[3,4.5]]}]}`

func calls(t *testing.T, address, body string, timeout time.Duration) load.Options {
	t.Helper()
	call := must[load.Request](t)(load.InferCall("penguins/versions/3", body, timeout))
	o := plan(t, address, call)
	o.Timeout = timeout
	return o
}

func TestModelInfer(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	address := serveInference(t, func(ctx context.Context, in *dynamicpb.Message) (string, error) {
		given, _ := metadata.FromIncomingContext(ctx)
		deadline, _ := ctx.Deadline()
		text := strings.ReplaceAll(protojson.Format(in), " ", "")
		mu.Lock()
		defer mu.Unlock()
		seen[fmt.Sprintf("%s %s %v", text, given.Get("x-key"), time.Until(deadline) > 3*time.Second && time.Until(deadline) <= 4*time.Second)]++
		return "penguins", nil
	})
	call := must[load.Request](t)(load.InferCall("penguins/versions/3", inferBody, 4*time.Second))
	call.Header = append(call.Header, load.Field{Name: "X-Key", Value: "k"})
	call.Expect.Contains = "penguins"
	r := run(t, open(t, plan(t, "grpc://"+address+"/penguins", call), 200, 200*time.Millisecond))
	if r.Requests != 40 || r.Errors != 0 || r.Statuses["OK"] != 40 || r.Protocol != "gRPC" || r.Target != "grpc://"+address+"/penguins" {
		t.Errorf("%d calls, %d errors %v, statuses %v, %s to %s", r.Requests, r.Errors, r.ErrorKinds, r.Statuses, r.Protocol, r.Target)
	}
	if len(r.Routes) != 1 || r.Routes[0].Name != "ModelInfer penguins/versions/3" || r.Routes[0].Code != "OK" || r.Routes[0].Status != 200 {
		t.Errorf("routes %+v", r.Routes)
	}
	if len(seen) != 1 {
		t.Fatalf("%d different calls arrived: %v", len(seen), seen)
	}
	for got := range seen {
		want := strings.Join(strings.Fields(`{ "modelName":"penguins", "modelVersion":"3", "id":"7", "inputs":[ { "name":"x", "datatype":"FP32", "shape":[ "2", "2" ],
			"contents":{ "fp32Contents":[ 1, 2, 3, 4.5 ] } } ] }`), "") + " [k] true"
		if strings.Join(strings.Split(got, "\n"), "") != want {
			t.Errorf("it arrived as\n%s\nwant\n%s", got, want)
		}
	}
}

// TestModelInferDatatypes holds every datatype against what a protobuf library
// reads.
func TestModelInferDatatypes(t *testing.T) {
	var mu sync.Mutex
	var got *dynamicpb.Message
	address := serveInference(t, func(_ context.Context, in *dynamicpb.Message) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		got = in
		return "m", nil
	})
	for _, c := range []struct{ datatype, shape, data, contents string }{
		{"BOOL", "3", "[true,false,true]", `{"boolContents":[true,false,true]}`},
		{"INT8", "2", "[-128,127]", `{"intContents":[-128,127]}`},
		{"INT16", "2", "[-32768,5]", `{"intContents":[-32768,5]}`},
		{"INT32", "2,1", "[[-2147483648],[5]]", `{"intContents":[-2147483648,5]}`},
		{"INT64", "1", "[-9223372036854775808]", `{"int64Contents":["-9223372036854775808"]}`},
		{"UINT8", "1", "[255]", `{"uintContents":[255]}`},
		{"UINT32", "1", "[4294967295]", `{"uintContents":[4294967295]}`},
		{"UINT64", "1", "[18446744073709551615]", `{"uint64Contents":["18446744073709551615"]}`},
		{"FP64", "2", "[0.1,-2e300]", `{"fp64Contents":[0.1,-2e+300]}`},
		{"FP64", "2", "[null,1]", `{"fp64Contents":["NaN",1]}`},
		{"BYTES", "3", `["a","ü",null]`, `{"bytesContents":["YQ==","w7w=",""]}`},
		{"FP32", "0", "[]", `{}`},
	} {
		body := fmt.Sprintf(`{"parameters":{"s":"t","n":-5,"b":true},"inputs":[{"name":"x","datatype":%q,"shape":[%s],"data":%s,"parameters":{"p":false}}],"outputs":[{"name":"y"}]}`,
			c.datatype, c.shape, c.data)
		r := run(t, open(t, calls(t, "grpc://"+address+"/m", body, 5*time.Second), 100, 10*time.Millisecond))
		if r.Errors != 0 {
			t.Fatalf("%s: %v %v", c.datatype, r.ErrorKinds, r.Statuses)
		}
		text := strings.Join(strings.Fields(protojson.Format(got)), "")
		for _, want := range []string{`"contents":` + c.contents, `"parameters":{"p":{"boolParam":false}}`,
			`"parameters":{"b":{"boolParam":true},"n":{"int64Param":"-5"},"s":{"stringParam":"t"}}`, `"outputs":[{"name":"y"}]`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s arrived as\n%s\nwithout %s", c.datatype, text, want)
			}
		}
	}
	// Half precision: all inputs are raw then.
	body := `{"inputs":[{"name":"h","datatype":"FP16","shape":[7],"data":[1,-2,65504,6e-8,0,0.1,null]},{"name":"b","datatype":"BF16","shape":[2],"data":[1,3.14159]},
		{"name":"t","datatype":"BYTES","shape":[1],"data":["hi"]},{"name":"i","datatype":"INT32","shape":[1],"data":[-2]}]}`
	if r := run(t, open(t, calls(t, "grpc://"+address+"/m", body, 5*time.Second), 100, 10*time.Millisecond)); r.Errors != 0 {
		t.Fatalf("raw: %v", r.ErrorKinds)
	}
	raw := got.Get(got.Descriptor().Fields().ByName("raw_input_contents")).List()
	var parts []string
	for i := range raw.Len() {
		parts = append(parts, fmt.Sprintf("%x", raw.Get(i).Bytes()))
	}
	if text := strings.Join(parts, " "); text != "003c00c0ff7b01000000662e007e 803f4940 020000006869 feffffff" {
		t.Errorf("raw contents %s", text)
	}
}

func TestModelInferWrong(t *testing.T) {
	input := func(rest string) string { return `{"inputs":[{"name":"x",` + rest + `}]}` }
	for body, want := range map[string]string{
		``:               "no request of the Open Inference Protocol",
		`{"rows":[[1]]}`: "unknown field",
		`{"inputs":[]}`:  `no "inputs"`,
		input(`"datatype":"FP32","shape":[2],"data":[1]`):                                                    "the shape [2] and 1 values do not fit",
		input(`"datatype":"FP32","shape":[-1],"data":[1]`):                                                   "cannot be",
		input(`"datatype":"FP32","shape":[4611686018427387904,4],"data":[]`):                                 "cannot be",
		input(`"datatype":"FP32","shape":[1073741824,1073741824,1073741824],"data":[]`):                      "do not fit",
		input(`"datatype":"FP8","shape":[1],"data":[1]`):                                                     `datatype "FP8"; want one of BF16, BOOL`,
		input(`"datatype":"INT8","shape":[1],"data":[128]`):                                                  "value 1: 128 is no INT8",
		input(`"datatype":"UINT8","shape":[1],"data":[-1]`):                                                  "-1 is no UINT8",
		input(`"datatype":"FP32","shape":[1],"data":["a"]`):                                                  "is no number of 32 bits",
		input(`"datatype":"FP32","shape":[1],"data":[1e39]`):                                                 "1e39 is no number of 32 bits",
		input(`"datatype":"FP16","shape":[1],"data":[65520]`):                                                "65520 is too large for FP16",
		input(`"datatype":"BOOL","shape":[1],"data":[1]`):                                                    "1 is neither true nor false",
		input(`"datatype":"BYTES","shape":[1],"data":[1]`):                                                   "1 is no text",
		input(`"datatype":"FP32","shape":[1],"data":[{}]`):                                                   "something other than numbers",
		input(`"datatype":"INT32","shape":[1],"data":[null]`):                                                "null is no INT32",
		input(`"datatype":"FP32","shape":[1],"data":5`):                                                      `"data" is no list`,
		input(`"datatype":"FP32","shape":[1]`):                                                               `"data" is no list`,
		input(`"datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4},"data":[1]`):                "binary data after the JSON",
		input(`"datatype":"FP32","shape":[1],"parameters":{"x":1.5},"data":[1]`):                             `parameter "x" is neither`,
		input(`"datatype":"FP32","shape":[1],"data":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)): `"data" is no list`,
	} {
		if _, err := load.InferCall("m", body, time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	for _, model := range []string{"", "a/b", "a/versions/", "a/versions/1/x"} {
		if _, err := load.InferCall(model, inferBody, time.Second); err == nil {
			t.Errorf("%q is taken as a model", model)
		}
	}
	for _, method := range []string{"", "a/b", "/a", "/a/", "//b"} {
		if _, err := load.GRPCCall(method, nil, time.Second); err == nil {
			t.Errorf("%q is taken as a method", method)
		}
	}
	if _, err := load.GRPCCall("/a/b", make([]byte, load.MaxBody), time.Second); err == nil {
		t.Error("a message of any size is taken")
	}
}

// TestGRPCErrors: what is not OK is an error by its name.
func TestGRPCErrors(t *testing.T) {
	var mu sync.Mutex
	n := 0
	address := serveInference(t, func(context.Context, *dynamicpb.Message) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		switch n++; n % 4 {
		case 0:
			return "", status.Error(codes.Unavailable, "as asked: ü")
		case 1:
			return "", status.Error(codes.Code(99), "a code without a name")
		case 2:
			return "", status.Error(codes.DataLoss, "")
		}
		return "m", nil
	})
	r := run(t, open(t, calls(t, "grpc://"+address+"/m", inferBody, 5*time.Second), 200, 200*time.Millisecond))
	if r.Errors != 30 || r.ErrorKinds[load.KindStatus] != 30 || fmt.Sprint(r.Statuses) != "map[DATA_LOSS:10 OK:10 UNAVAILABLE:10 UNKNOWN:10]" {
		t.Errorf("%d errors, kinds %v, statuses %v", r.Errors, r.ErrorKinds, r.Statuses)
	}
	var told []string
	for _, route := range r.Routes {
		told = append(told, fmt.Sprintf("%s %d/%d", route.Code, route.Errors, route.Requests))
	}
	if got := strings.Join(told, ", "); got != "DATA_LOSS 10/10, OK 0/10, UNAVAILABLE 10/10, UNKNOWN 10/10" {
		t.Errorf("routes: %s", got)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "UNAVAILABLE × 10") ||
		!strings.Contains(text.String(), "ModelInfer penguins/versions/3\n") || !strings.Contains(text.String(), " UNAVAILABLE        10      10  ") {
		t.Errorf("%v\n%s", err, &text)
	}
	// A method that nobody has, and one whose service is unknown: trailers only.
	call := must[load.Request](t)(load.GRPCCall("/inference.GRPCInferenceService/Nothing", []byte{8, 1}, time.Second))
	if r := run(t, open(t, plan(t, "grpc://"+address, call), 100, 20*time.Millisecond)); r.Statuses["UNIMPLEMENTED"] != 2 || r.Errors != 2 {
		t.Errorf("statuses %v, %d errors", r.Statuses, r.Errors)
	}
	call = must[load.Request](t)(load.InferCall("m", inferBody, time.Second))
	call.Expect.Contains = "nothing of the kind"
	if r := run(t, open(t, plan(t, "grpc://"+address, call), 40, 100*time.Millisecond)); r.ErrorKinds[load.KindCheck] != 1 {
		t.Errorf("the check of a message: %v, statuses %v", r.ErrorKinds, r.Statuses)
	}
}

// TestGRPCDeadline: the server knows how long it may take, and an answer that
// comes too late is an error whoever sees it first.
func TestGRPCDeadline(t *testing.T) {
	address := serveInference(t, func(ctx context.Context, _ *dynamicpb.Message) (string, error) {
		<-ctx.Done()
		return "", status.FromContextError(ctx.Err()).Err()
	})
	r := run(t, open(t, calls(t, "grpc://"+address+"/m", inferBody, 150*time.Millisecond), 50, 100*time.Millisecond))
	if r.Errors != 5 || r.ErrorKinds[load.KindTimeout]+r.ErrorKinds[load.KindStatus] != 5 || r.Statuses["DEADLINE_EXCEEDED"] != r.ErrorKinds[load.KindStatus] {
		t.Errorf("%d errors, kinds %v, statuses %v", r.Errors, r.ErrorKinds, r.Statuses)
	}
	if r.Response.P50 < 0.14 || r.Response.Max > 2 {
		t.Errorf("response %+v", r.Response)
	}
}

// TestGRPCWaitingCounts: coordinated omission, of calls as of requests: those
// that were due while the server stood still were late, sent or not.
func TestGRPCWaitingCounts(t *testing.T) {
	var mu sync.Mutex
	begin := time.Time{}
	const every, still = 500 * time.Millisecond, 200 * time.Millisecond
	address := serveInference(t, func(context.Context, *dynamicpb.Message) (string, error) {
		mu.Lock()
		if begin.IsZero() {
			begin = time.Now()
		}
		into := time.Since(begin) % every
		mu.Unlock()
		if into > every-still {
			time.Sleep(every - into)
		}
		return "m", nil
	})
	o := open(t, calls(t, "grpc://"+address+"/m", inferBody, 5*time.Second), 200, 2*time.Second)
	o.Connections = 4
	r := run(t, o)
	truth := stallTruth(400, 200, every, still, begin.Sub(r.StartedAt), 0.9)
	if math.Abs(r.Response.P90-truth) > 0.1*truth+0.01+r.Lag.P99 {
		t.Errorf("p90 is %v, the truth %v, the lag %+v", r.Response.P90, truth, r.Lag)
	}
	if r.Service.P90 > r.Response.P90 || r.Service.P50 > 0.1 {
		t.Errorf("service %+v, response %+v", r.Service, r.Response)
	}
}

func TestGRPCOverTLS(t *testing.T) {
	h := httptest.NewUnstartedServer(nil)
	h.StartTLS()
	certificate := h.TLS.Certificates[0]
	root := h.Certificate()
	h.Close()
	address := serveInference(t, func(context.Context, *dynamicpb.Message) (string, error) { return "m", nil },
		grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	o := calls(t, "grpcs://"+address+"/m", inferBody, 5*time.Second)
	if _, err := load.Run(context.Background(), open(t, o, 50, 100*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "--ca FILE") {
		t.Errorf("an unknown certificate: %v", err)
	}
	o = calls(t, "grpcs://"+address+"/m", inferBody, 5*time.Second)
	o.Target.TLS.RootCAs = x509.NewCertPool()
	o.Target.TLS.RootCAs.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	if r := run(t, open(t, o, 50, 100*time.Millisecond)); r.Errors != 0 || r.Statuses["OK"] != 5 || o.Target.TLS.MinVersion != tls.VersionTLS12 {
		t.Errorf("errors %v, statuses %v", r.ErrorKinds, r.Statuses)
	}
}

// TestAnswersThatAreNotGRPC: what a proxy or a broken server sends is told
// apart from an answer.
func TestAnswersThatAreNotGRPC(t *testing.T) {
	answer := func(write http.HandlerFunc) *load.Result {
		s := httptest.NewUnstartedServer(write)
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		defer s.Close()
		return run(t, open(t, calls(t, strings.Replace(s.URL, "http", "grpc", 1)+"/m", inferBody, 2*time.Second), 50, 20*time.Millisecond))
	}
	grpcAnswer := func(code, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = w.Write([]byte(body))
			if code != "" {
				w.Header().Set("Grpc-Status", code)
			}
		}
	}
	one := "\x00\x00\x00\x00\x01m"
	for name, c := range map[string]struct {
		write    http.HandlerFunc
		kind     load.Kind
		statuses string
	}{
		"right":         {grpcAnswer("0", one), load.KindNone, "map[OK:1]"},
		"empty message": {grpcAnswer("0", "\x00\x00\x00\x00\x00"), load.KindNone, "map[OK:1]"},
		"a proxy's 503": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }, load.KindStatus, "map[503:1]"},
		"a page":        {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }, load.KindNotGRPC, "map[200:1]"},
		"not there":     {http.NotFound, load.KindNotGRPC, "map[404:1]"},
		"other media":   {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnsupportedMediaType) }, load.KindNotGRPC, "map[415:1]"},
		"no status":     {grpcAnswer("", one), load.KindNotGRPC, "map[]"},
		"OK of nothing": {grpcAnswer("0", ""), load.KindNotGRPC, "map[]"},
		"status abc":    {grpcAnswer("abc", one), load.KindNotGRPC, "map[]"},
		"compressed":    {grpcAnswer("0", "\x01\x00\x00\x00\x01m"), load.KindNotGRPC, "map[]"},
		"two messages":  {grpcAnswer("0", one+one), load.KindNotGRPC, "map[]"},
		"too short":     {grpcAnswer("0", "\x00\x00\x00\x00\x05m"), load.KindClosed, "map[]"},
		"half a prefix": {grpcAnswer("0", "\x00\x00"), load.KindClosed, "map[]"},
		"too large":     {grpcAnswer("0", "\x00\xff\xff\xff\xff"), load.KindTooLarge, "map[]"},
		"broken off":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, load.KindReset, "map[]"},
	} {
		r := answer(c.write)
		if (c.kind == load.KindNone) != (r.Errors == 0) || c.kind != load.KindNone && r.ErrorKinds[c.kind] != 1 || fmt.Sprint(r.Statuses) != c.statuses {
			t.Errorf("%s: %v, statuses %v; want %s, %s", name, r.ErrorKinds, r.Statuses, c.kind, c.statuses)
		}
	}
}

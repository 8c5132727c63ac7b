package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/load"
)

// TestLoadOfGRPC loads a service that speaks HTTP/2 only through the gateway,
// by its name, as a user would: right answers, a status of gRPC, and the page of
// a program that speaks something else.
func TestLoadOfGRPC(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.up(strings.Replace(version("v1"), "limits: {body: 1Gi}}]", "limits: {body: 1Gi}}, {path: /inference.GRPCInferenceService}]", 1))
	proof, err := filepath.Abs("../examples/penguins")
	must(t, err)
	must(t, os.WriteFile(f.path("request.json"), []byte(`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[5]}]}`), 0o600))
	say, model := []string{"--grpc-method", "/test.Service/Say"}, []string{"--body", f.path("request.json")}
	for _, c := range []struct {
		target, message string
		args            []string
		said            string
	}{
		{"rpc", "\n\x02hi", say, "0 errors map[OK:10] /test.Service/Say"},
		{"rpc", "\n\x04fail", say, "10 errors map[FAILED_PRECONDITION:10] /test.Service/Say"},
		{"rpc", "", []string{"--grpc-method", "/test.Service/Nothing"}, "10 errors map[UNIMPLEMENTED:10] /test.Service/Nothing"},
		{"grpc://" + f.address, "\n\x02hi", say, "0 errors map[OK:10] /test.Service/Say"},
		{"grpc://" + f.address, "", []string{"--grpc-method", "/nobody.Service/Say"}, "10 errors map[200:10] /nobody.Service/Say"},
		{"grpc://" + f.address + "/iris", "", append(model, "--expect-contains", "iris"), "0 errors map[OK:10] ModelInfer iris"},
		{"rpc", "", append(model, "--grpc-model", "iris/versions/1"), "0 errors map[OK:10] ModelInfer iris/versions/1"},
		{"rpc", "", []string{"--grpc-model", "penguins", "--proof", proof}, "0 errors map[OK:10] ModelInfer penguins"},
	} {
		// Two seconds, because the service is looked at once a second.
		args := append([]string{"load", c.target, "--state", f.path(".greenlight"), "--rate", "5", "--duration", "2s", "--max-lag", "30s", "--json", "--quiet"}, c.args...)
		if !slices.Contains(args, "--body") && !slices.Contains(args, "--proof") {
			must(t, os.WriteFile(f.path("message.bin"), []byte(c.message), 0o600))
			args = append(args, "--body", f.path("message.bin"))
		}
		command := exec.Command(program, args...)
		var stderr strings.Builder
		command.Stderr = &stderr
		out, err := command.Output()
		var r load.Result
		if json.Unmarshal(out, &r) != nil || len(r.Routes) != 1 {
			t.Fatalf("%q: %v\n%s%s", args, err, out, &stderr)
		}
		want(t, strings.Join(args, " "), fmt.Sprintf("%d errors %v %s", r.Errors, r.Statuses, r.Routes[0].Name), c.said)
		want(t, "protocol", r.Protocol, "gRPC")
		want(t, "evidence of "+c.target, r.Server != nil, c.target == "rpc")
	}
}

// TestLoadOfGRPCWrongUse: flags that say nothing of a call are refused.
func TestLoadOfGRPCWrongUse(t *testing.T) {
	t.Parallel()
	body := filepath.Join(t.TempDir(), "request.json")
	must(t, os.WriteFile(body, []byte(`{"inputs":[]}`), 0o600))
	for args, want := range map[string]string{
		"grpc://127.0.0.1:1 --body " + body:                              "which model?",
		"grpc://127.0.0.1:1/m":                                           "what is asked?",
		"grpc://127.0.0.1:1/m --body " + body:                            `has no "inputs"`,
		"grpc://127.0.0.1:1/m --body " + body + " --method PUT":          "--method is for HTTP",
		"grpc://127.0.0.1:1/m --body " + body + " --expect-status 200":   "--expect-status is for HTTP",
		"grpc://127.0.0.1:1 --grpc-method Say --body " + body:            `"Say" is no gRPC method`,
		"127.0.0.1:1 --grpc-method /a.B/C --grpc-model m --body " + body: "leave --grpc-method out",
		"127.0.0.1:1 --grpc-method /a.B/C --proof " + filepath.Dir(body): "--proof is for --grpc-model",
	} {
		out, err := exec.Command(program, append([]string{"load", "--rate", "5"}, strings.Fields(args)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want %q\n%s", args, err, want, out)
		}
	}
}

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/greenlight-dev/greenlight/load"
)

// speak chooses the protocol of a test: gRPC where a method or a model is
// named, HTTP/2 where the service's program speaks nothing else.
func (o *loadOptions) speak(test *loadTest) {
	if o.grpcMethod != "" || o.grpcModel != "" {
		test.Target.GRPC = true
	}
	if test.service != nil && test.service.h2c {
		test.HTTP2 = true
	}
}

// calls are the unary calls of gRPC that the flags mean, one after the other.
func (o *loadOptions) calls(env Env, test *loadTest, fields []load.Field, expect load.Expect) ([]load.Request, error) {
	if err := o.checkCalls(); err != nil {
		return nil, err
	}
	bodies, err := o.callBodies(env)
	if err != nil {
		return nil, err
	}
	model := o.grpcModel
	if model == "" && test.service == nil {
		model = strings.Trim(test.Target.URL.Path, "/")
	}
	if model == "" && o.grpcMethod == "" {
		return nil, &usageError{errors.New("which model? give grpc://HOST:PORT/MODEL or --grpc-model, or --grpc-method /package.Service/Method")}
	}
	all := make([]load.Request, len(bodies))
	for i, body := range bodies {
		if o.grpcMethod != "" {
			all[i], err = load.GRPCCall(o.grpcMethod, []byte(body), o.timeout)
		} else {
			all[i], err = load.InferCall(model, body, o.timeout)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmp.Or(o.proof, o.body, "the body"), err)
		}
		all[i].Header, all[i].Expect = append(all[i].Header, fields...), expect
	}
	if test.service != nil {
		test.service.relative(all)
	}
	return all, nil
}

// checkCalls refuses flags that say nothing of a call.
func (o *loadOptions) checkCalls() error {
	for name, given := range map[string]bool{
		"--requests": o.requests != "", "--method": o.method != "", "--data": o.data != "", "--expect-status": o.status != 0,
		"--path": o.path != "", "--no-keep-alive": o.closeEach,
	} {
		if given {
			return &usageError{fmt.Errorf("%s is for HTTP; leave it out of a test of gRPC", name)}
		}
	}
	switch {
	case o.grpcMethod != "" && o.grpcModel != "":
		return &usageError{errors.New("--grpc-model is a call of its own; leave --grpc-method out")}
	case o.grpcMethod != "" && o.proof != "":
		return &usageError{errors.New("--proof is for --grpc-model; --grpc-method takes a message by --body")}
	case o.grpcMethod == "" && (o.body == "") == (o.proof == ""):
		return &usageError{errors.New("what is asked? give --body with a request of the Open Inference Protocol (JSON), or --proof")}
	}
	return nil
}

// callBodies are what is asked: one body, or a request for each row of a
// proof.
func (o *loadOptions) callBodies(env Env) ([]string, error) {
	if o.proof == "" {
		body, err := readBody(env, o.body)
		return []string{body}, err
	}
	var bodies []string
	err := readLoadFile(proofFile(o.proof), func(in io.Reader) error {
		rows, err := load.ReadProof(in, "/infer")
		for i := range rows {
			bodies = append(bodies, rows[i].Body)
		}
		return err
	})
	return bodies, err
}

package cli

import (
	"fmt"
	"io"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// mix makes ready what is sent: a log, a file of requests, or the one of the
// flags.
func (o *loadOptions) mix(env Env, test *loadTest) error {
	rows, err := o.rows()
	if err != nil {
		return err
	}
	fields, err := parseFields(o.headers)
	if err != nil {
		return err
	}
	if whole, err := o.replay(env, test, fields, rows); whole || err != nil {
		return err
	}
	requests, err := o.asked(env, test, fields)
	if err != nil {
		return err
	}
	test.Mix, err = load.NewMix(test.Target, requests, rows, !o.closeEach, o.seed)
	return err
}

// asked are the requests of a file, a proof, or the flags.
func (o *loadOptions) asked(env Env, test *loadTest, fields []load.Field) (requests []load.Request, err error) {
	t := test.Target
	expect := load.Expect{Status: o.status, Contains: o.contains}
	switch {
	case t.GRPC:
		requests, err = o.calls(env, test, fields, expect)
	case o.requests != "" && (o.body != "" || o.method != ""):
		return nil, &usageError{fmt.Errorf("--requests names method and body of each request; leave --method and --body out")}
	case o.requests != "" && o.proof != "":
		return nil, &usageError{fmt.Errorf("--requests and --proof both say what is sent; give one")}
	case o.proof != "":
		requests, err = o.proofRequests(t, fields, expect)
	case o.requests != "":
		if requests, err = o.fileRequests(env); test.service != nil {
			test.service.relative(requests)
		}
		for i := range requests {
			requests[i].Header = append(requests[i].Header, fields...)
			if requests[i].Expect == (load.Expect{}) {
				requests[i].Expect = expect
			}
		}
	case test.service != nil && o.path+o.method+o.body == "":
		requests = make([]load.Request, 1)
		requests[0], err = test.service.sample()
		requests[0].Header, requests[0].Expect = fields, expect
	default:
		r := load.Request{Method: strings.ToUpper(o.method), Header: fields, Expect: expect}
		if r.Body, err = readBody(env, o.body); r.Body != "" && r.Method == "" {
			r.Method = "POST"
		}
		requests = []load.Request{r}
	}
	return requests, err
}

// fileRequests are those of JSON lines or of a HAR file.
func (o *loadOptions) fileRequests(env Env) (requests []load.Request, err error) {
	err = readLoadFile(o.requests, func(in io.Reader) (err error) {
		if filepath.Ext(o.requests) != ".har" {
			requests, err = load.ReadRequests(in)
			return err
		}
		others := 0
		if requests, others, err = load.ReadHAR(in); others > 0 {
			fmt.Fprintf(env.Stderr, "%s: %d requests to other origins are left out\n", o.requests, others)
		}
		return err
	})
	return requests, err
}

// proofRequests are the rows of a model's proof.
func (o *loadOptions) proofRequests(t *load.Target, fields []load.Field, expect load.Expect) (requests []load.Request, err error) {
	err = readLoadFile(proofFile(o.proof), func(in io.Reader) (err error) {
		requests, err = load.ReadProof(in, t.URL.Path)
		return err
	})
	for i := range requests {
		requests[i].Header, requests[i].Expect = fields, expect
	}
	return requests, err
}

// proofFile is a proof, by its own name or its folder's.
func proofFile(name string) string {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, "proof.json")
	}
	return name
}

func (o *loadOptions) rows() (rows *load.Rows, err error) {
	if o.data == "" {
		return nil, nil
	}
	err = readLoadFile(o.data, func(in io.Reader) error {
		if filepath.Ext(o.data) == ".csv" {
			rows, err = load.ReadCSVRows(in)
		} else {
			rows, err = load.ReadJSONRows(in)
		}
		return err
	})
	return rows, err
}

func readLoadFile(name string, read func(io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func readBody(env Env, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	var body string
	read := func(in io.Reader) error {
		data, err := io.ReadAll(io.LimitReader(in, load.MaxBody+1))
		body = string(data)
		return err
	}
	if name == "-" {
		return body, read(env.Stdin)
	}
	err := readLoadFile(name, read)
	return body, err
}

func parseFields(texts []string) ([]load.Field, error) {
	var fields []load.Field
	for _, text := range texts {
		name, value, found := strings.Cut(text, ":")
		if !found {
			return nil, &usageError{fmt.Errorf("--header %q has no colon; want 'NAME: VALUE'", text)}
		}
		fields = append(fields, load.Field{Name: textproto.TrimString(name), Value: textproto.TrimString(value)})
	}
	return fields, nil
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

type serveOptions struct {
	addr        string
	tokenFile   string
	concurrency int
	maxBody     int64
	grace       time.Duration
}

func newServe(env Env) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve [NAME=]MODEL...",
		Short: "Serve models over HTTP",
		Long: `Serve models over HTTP: POST /predict with rows, the Open Inference Protocol V2
under /v2, GET /healthz and GET /metrics.

MODEL is an ONNX file, or a folder that holds model.onnx. A proof.json beside
the model is replayed first; a model that does not reproduce it is refused.

Other machines can connect only when --addr says so, and then only with a token:
put it in a file (--token-file) or in the variable GREENLIGHT_TOKEN.

SIGTERM or Ctrl-C: not ready, finish the requests under way, exit 0.
` + exitCodesHelp,
		Example: `  greenlight serve examples/penguins
  greenlight serve species=examples/penguins examples/digits/model.onnx
  greenlight serve model.onnx --addr 0.0.0.0:8080 --token-file /run/secrets/token`,
		Args: takes(1, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runServe(cmd.Context(), env, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the token that requests must bear")
	f.IntVar(&o.concurrency, "concurrency", 0, "requests computed at once (default: one for each core)")
	f.Int64Var(&o.maxBody, "max-body", 32<<20, "largest request body in bytes")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how long requests may take to finish on SIGTERM")
	return cmd
}

func runServe(ctx context.Context, env Env, o serveOptions, args []string) error {
	token, err := readToken(o.tokenFile)
	if err != nil {
		return err
	}
	if err := o.check(token); err != nil {
		return err
	}
	models, err := loadModels(ctx, env, args)
	defer func() {
		for _, m := range models {
			_ = m.Close() // the process ends; nothing is left to write
		}
	}()
	if err != nil {
		return err
	}
	server, err := modelserver.NewServer(models, modelserver.Options{
		Version: env.Build.Version, Token: token, Concurrency: o.concurrency, MaxBodyBytes: o.maxBody, Grace: o.grace,
		Log: slog.New(slog.NewTextHandler(env.Stderr, nil)),
	})
	if err != nil {
		return &usageError{err}
	}
	ln, err := net.Listen("tcp", o.addr)
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err // without the address, which the message names
	}
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "cannot listen on %s: %w; choose another with --addr", o.addr, err)
	}
	announce(env.Stdout, baseURL(o.addr, ln.Addr()), models, o.authHeader(token))
	if err := server.Serve(ctx, ln); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, "stopped")
	return nil
}

// readToken takes the token from a file or the environment; never from a
// flag, which other users could read in the process list.
func readToken(file string) (string, error) {
	if file == "" {
		return strings.TrimSpace(os.Getenv("GREENLIGHT_TOKEN")), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", greenlight.Errorf(greenlight.CodeInvalid, "--token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", greenlight.Errorf(greenlight.CodeInvalid, "--token-file: %s is empty", file)
	}
	return token, nil
}

// check refuses flags that make no sense, and to serve other machines without
// a token.
func (o *serveOptions) check(token string) error {
	host, port, err := net.SplitHostPort(o.addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	switch {
	case err != nil:
		return &usageError{fmt.Errorf("--addr %q: want HOST:PORT, as 127.0.0.1:8080", o.addr)}
	case o.concurrency < 0 || o.maxBody < 1 || o.grace <= 0:
		return &usageError{fmt.Errorf("--concurrency, --max-body and --grace cannot be negative, nor the last two 0")}
	case token == "" && !isLoopback(host):
		return &usageError{fmt.Errorf("--addr %s lets other machines in, which needs a token: "+
			"give --token-file FILE or set GREENLIGHT_TOKEN, or listen on 127.0.0.1", o.addr)}
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// baseURL is where requests go: the host as it was given, the port that
// there is.
func baseURL(given string, ln net.Addr) string {
	host, _, _ := net.SplitHostPort(given)
	_, port, _ := net.SplitHostPort(ln.String())
	return "http://" + net.JoinHostPort(cmp.Or(host, "localhost"), port)
}

// authHeader is the option that makes curl bear the token, wherever it came
// from.
func (o *serveOptions) authHeader(token string) string {
	switch {
	case token == "":
		return ""
	case o.tokenFile != "":
		return ` -H "Authorization: Bearer $(cat ` + shellQuote(o.tokenFile) + `)"`
	}
	return ` -H "Authorization: Bearer $GREENLIGHT_TOKEN"`
}

func loadModels(ctx context.Context, env Env, args []string) ([]*modelserver.Model, error) {
	var models []*modelserver.Model
	for _, arg := range args {
		m, err := loadModel(ctx, env, arg, false)
		if err != nil {
			return models, err
		}
		models = append(models, m)
	}
	return models, nil
}

// announce says where each model is and how to ask it.
func announce(w io.Writer, base string, models []*modelserver.Model, auth string) {
	for _, m := range models {
		path := "/models/" + m.Name + "/predict"
		switch {
		case m.SchemaErr != nil:
			path = "/v2/models/" + m.Name + "/infer"
		case len(models) == 1:
			path = "/predict"
		}
		fmt.Fprintf(w, "%s is ready at %s%s (engine %s, %s, loaded in %d ms)\n", m.Name, base, path, m.Engine, proofText(m.Proof), m.LoadedIn.Milliseconds())
		body := m.SampleRequest()
		switch {
		case m.SchemaErr != nil:
			fmt.Fprintf(w, "  it cannot be asked with rows (%v); %s/v2/models/%s describes its tensors\n", m.SchemaErr, base, m.Name)
			continue
		case m.WarmUpErr != nil:
			fmt.Fprintf(w, "  a made-up row does not suit it (%v); send one of yours\n", m.WarmUpErr)
		}
		switch {
		case len(body) > maxShownRequest:
			fmt.Fprintf(w, "  greenlight inspect %s --sample | curl -s %s%s%s --data-binary @-\n", shellQuote(m.File.Path), base, path, auth)
		case body != nil:
			fmt.Fprintf(w, "  curl -s %s%s%s -d %s\n", base, path, auth, shellQuote(string(body)))
		}
	}
}

// maxShownRequest bounds the request that fits a terminal.
const maxShownRequest = 1500

func proofText(p *modelserver.ProofResult) string {
	if p == nil {
		return "no proof"
	}
	return fmt.Sprintf("proof of %d rows, largest deviation %.2g", p.Rows, p.Deviation)
}

// shellQuote makes s one word of a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

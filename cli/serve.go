package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
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
		Args: cobra.MinimumNArgs(1),
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
	if err := checkExposure(o.addr, token); err != nil {
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
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "cannot listen on %s: %w; choose another with --addr", o.addr, err)
	}
	announce(env.Stdout, ln.Addr(), models, token != "")
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
		return os.Getenv("GREENLIGHT_TOKEN"), nil
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

// checkExposure refuses to serve other machines without a token.
func checkExposure(addr, token string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return &usageError{fmt.Errorf("--addr %q: want HOST:PORT, as 127.0.0.1:8080", addr)}
	}
	ip := net.ParseIP(host)
	if token != "" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return &usageError{fmt.Errorf("--addr %s lets other machines in, which needs a token: "+
		"give --token-file FILE or set GREENLIGHT_TOKEN, or listen on 127.0.0.1", addr)}
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
func announce(w io.Writer, addr net.Addr, models []*modelserver.Model, token bool) {
	base := "http://" + addr.String()
	auth := ""
	if token {
		auth = ` -H "Authorization: Bearer $GREENLIGHT_TOKEN"`
	}
	for _, m := range models {
		path := "/models/" + m.Name + "/predict"
		if len(models) == 1 {
			path = "/predict"
		}
		body := m.SampleRequest()
		if body == nil {
			path = "/v2/models/" + m.Name + "/infer"
		}
		fmt.Fprintf(w, "%s is ready at %s%s (engine %s, %s, loaded in %d ms)\n", m.Name, base, path, m.Engine, proofText(m.Proof), m.LoadedIn.Milliseconds())
		switch {
		case body == nil:
			fmt.Fprintf(w, "  its inputs are not rows (%v): GET %s/v2/models/%s describes them\n", m.SchemaErr, base, m.Name)
		case len(body) > maxShownRequest:
			fmt.Fprintf(w, "  greenlight inspect %s --sample | curl -s %s%s%s --data-binary @-\n", shellQuote(m.File.Path), base, path, auth)
		default:
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

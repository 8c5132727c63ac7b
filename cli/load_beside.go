package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// keptID is an id of a result that a control plane keeps.
var keptID = regexp.MustCompile(`^[0-9]{8}-[0-9]{9}-[0-9a-f]{6}$`)

// namesResult tells results from targets: a file, an id, or SERVICE@ID.
func namesResult(arg string) bool {
	if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
		return true
	}
	service, id, found := strings.Cut(arg, "@")
	if !found {
		return keptID.MatchString(arg)
	}
	return keptID.MatchString(id) && namesService(service)
}

// storedResult reads a result from where its argument says.
func (o *compareOptions) storedResult(ctx context.Context, arg string) (r *load.Result, err error) {
	if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
		err := readLoadFile(arg, func(in io.Reader) (err error) {
			r, err = load.ReadResult(in)
			return err
		})
		return r, err
	}
	c, err := o.connect("")
	if err != nil {
		return nil, err
	}
	if service, id, found := strings.Cut(arg, "@"); found {
		return keptLoad(ctx, c, service, id)
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range servicesOf(status) {
		detail, err := c.Load(ctx, n.environment, n.service, arg)
		if greenlight.CodeOf(err) == greenlight.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		return load.ReadResult(bytes.NewReader(detail.Result))
	}
	return nil, greenlight.Errorf(greenlight.CodeNotFound, "no load test %s is kept; greenlight load list shows those that are", arg)
}

// compareStored sets two results side by side that were measured apart.
func (o *compareOptions) compareStored(ctx context.Context, env Env, nameA, nameB string) error {
	var results [2]*load.Result
	for i, name := range []string{nameA, nameB} {
		var err error
		if results[i], err = o.storedResult(ctx, name); err != nil {
			return err
		}
		if results[i].Void {
			return greenlight.Errorf(greenlight.CodeInvalid, "%s is void, so nothing is compared: %s", name, results[i].VoidReason)
		}
	}
	compared, err := load.Beside(results[0], results[1])
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(env.Stdout, compared)
	}
	for i, name := range []string{nameA, nameB} {
		fmt.Fprintf(env.Stdout, "%c  %s\n", 'A'+i, tame(storedText(name, results[i])))
	}
	return printBeside(env.Stdout, compared)
}

// storedText is what a result is of.
func storedText(name string, r *load.Result) string {
	said := fmt.Sprintf("%s: %s, %s", name, r.Target, r.StartedAt.Local().Format(time.DateTime))
	if r.Scenario != "" {
		said += ", scenario " + r.Scenario
	}
	if r.Server != nil && r.Server.Release != "" {
		said += ", release " + r.Server.Release
	}
	return said
}

func printBeside(out io.Writer, c *load.StoredComparison) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tA\tB\tchange\t95 % interval\t\t")
	for _, d := range c.Rows {
		say := saidAs[d.Unit]
		change, interval, said := "–", "", ""
		if d.Change != nil {
			change = fmt.Sprintf("%+.1f %%", 100**d.Change)
		}
		if d.CI95 != nil {
			interval = fmt.Sprintf("%+.1f … %+.1f %%", 100*d.CI95[0], 100*d.CI95[1])
			if d.CI95[0] <= 0 && d.CI95[1] >= 0 {
				said = "within chance"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t\n", d.Metric, say(d.A), say(d.B), change, interval, said)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, doubt := range c.Doubts {
		fmt.Fprintln(out, tame(doubt))
	}
	_, err := fmt.Fprintln(out, "\n"+c.Limits)
	return err
}

// saidAs writes figures by their unit.
var saidAs = map[load.Unit]func(float64) string{
	load.UnitRate: load.PerSecond, load.UnitSeconds: load.Seconds,
	load.UnitShare:    func(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) },
	load.UnitCores:    func(v float64) string { return fmt.Sprintf("%.2f", v) },
	load.UnitBytes:    func(v float64) string { return fmt.Sprintf("%.0f MB", v/1e6) },
	load.UnitReplicas: func(v float64) string { return fmt.Sprintf("%.3g", v) },
}

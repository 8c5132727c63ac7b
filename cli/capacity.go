package cli

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
)

func newCapacity(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "capacity",
		Short: "What a system can carry",
		Long: `Measure what a service carries, plan how many replicas it needs, and hold the plan
against what is measured later.
` + exitCodesHelp,
		Example: `  greenlight capacity plan penguins --rate 400 --growth 5%/month
  greenlight capacity what-if capacity-plan/plan.json --rate 800
  greenlight capacity check capacity-plan/plan.json --at 8
  greenlight capacity check production/api
  greenlight capacity fit measured.csv`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCapacityFit(env), newCapacityPlan(env), newCapacityCheck(env), newCapacityTraffic(env), newCapacityList(env), newCapacityShow(env),
		newCapacityWhatIf(env), newCapacityNothing())
	return cmd
}

// knownSubcommand refuses what is left after a command's subcommands were
// looked for.
func knownSubcommand(cmd *cobra.Command, rest []string) error {
	if len(rest) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("unknown command %q; see %s --help", rest[0], cmd.CommandPath())}
}

func newCapacityFit(env Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fit FILE.csv",
		Short: "Fit the scalability law to throughput at different N",
		Long: `Fit the Universal Scalability Law to measurements and say where its peak is:

  X(N) = gamma N / (1 + alpha (N-1) + beta N (N-1))

The file has a header and the columns n (clients, replicas or processors) and x
(throughput), at least four rows with three different n; "-" is standard input.
alpha is the share of work that is serial, beta the cost of keeping N in
agreement, gamma the throughput of one. Intervals are those of 95 %, with
Student's t of n-3 degrees of freedom.
` + exitCodesHelp,
		Example: `  greenlight capacity fit measured.csv
  greenlight capacity fit measured.csv --json | jq .peak_n`,
		Args: takes(1, 1),
		RunE: func(_ *cobra.Command, args []string) error { return runCapacityFit(env, args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func runCapacityFit(env Env, file string, asJSON bool) error {
	points, err := readPoints(env, file)
	if err != nil {
		return err
	}
	fit, err := capacity.FitLaw(points)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if asJSON {
		return writeJSON(env.Stdout, fit)
	}
	return printFit(env.Stdout, fit)
}

func readPoints(env Env, file string) ([]capacity.Point, error) {
	in := env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, greenlight.WithCode(greenlight.CodeNotFound, err)
		}
		defer f.Close()
		in = f
	}
	points, err := capacity.ReadPoints(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return points, nil
}

func printFit(out io.Writer, f *capacity.Fit) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\testimate\tstandard error\t95 % interval\t")
	row := func(name string, v, se float64, ci [2]float64) {
		fmt.Fprintf(w, "%s\t%.6g\t%.3g\t%.4g … %.4g\t\n", name, v, se, ci[0], ci[1])
	}
	row("alpha", f.Alpha, f.SE.Alpha, f.CI95.Alpha)
	row("beta", f.Beta, f.SE.Beta, f.CI95.Beta)
	row("gamma", f.Gamma, f.SE.Gamma, f.CI95.Gamma)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\nresidual standard error %.4g, %d degrees of freedom\n", peakText(f), f.Sigma, f.DF)
	return err
}

// peakText says where throughput is highest, and when that is beyond what
// was measured.
func peakText(f *capacity.Fit) string {
	switch {
	case f.PeakN == nil && f.PeakX == nil:
		return "no peak and no limit: throughput grows with every one that is added"
	case f.PeakN == nil:
		return fmt.Sprintf("no peak: throughput comes nearer and nearer to %.6g", *f.PeakX)
	case *f.PeakN > 2*f.MaxN:
		return fmt.Sprintf("peak %.6g at n = %.4g, a guess: more than twice the %g that was measured", *f.PeakX, *f.PeakN, f.MaxN)
	case *f.PeakN > f.MaxN:
		return fmt.Sprintf("peak %.6g at n = %.4g, beyond the %g that was measured", *f.PeakX, *f.PeakN, f.MaxN)
	}
	return fmt.Sprintf("peak %.6g at n = %.4g", *f.PeakX, *f.PeakN)
}

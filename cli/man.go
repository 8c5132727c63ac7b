package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
)

func newMan(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages to a folder",
		Long: `Write a manual page for each command to DIR, which is made when it is not there:
greenlight.1, greenlight-up.1 and so on.
` + exitCodesHelp,
		Example: `  greenlight man ~/.local/share/man/man1 && man greenlight-up`,
		Args:    takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return greenlight.WithCode(greenlight.CodeInvalid, err)
			}
			n, err := writeManPages(cmd.Root(), args[0], env.Build.Version)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "wrote %s to %s\n", counted(n, "page"), args[0])
			return err
		},
	}
}

// writeManPages writes the page of a command and of those below it, and counts
// them.
func writeManPages(cmd *cobra.Command, dir, version string) (int, error) {
	if cmd.Hidden || cmd.Name() == "help" {
		return 0, nil
	}
	file := filepath.Join(dir, manName(cmd)+".1")
	if err := os.WriteFile(file, []byte(manPage(cmd, version)), 0o644); err != nil {
		return 0, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	written := 1
	for _, child := range cmd.Commands() {
		n, err := writeManPages(child, dir, version)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage writes a command's page with the macros of man(7). What the help
// lays out in lines stays so.
func manPage(cmd *cobra.Command, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s \"Greenlight\"\n", roffWord(strings.ToUpper(manName(cmd))), roffWord("greenlight "+version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roffText(manName(cmd)), roffText(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roffText(cmd.UseLine()))
	body, codes, _ := strings.Cut(cmd.Long, "\nExit codes: ")
	section(&b, "DESCRIPTION", body)
	manOptions(&b, cmd)
	if codes != "" {
		section(&b, "EXIT STATUS", strings.TrimSpace(codes))
	}
	if cmd.Example != "" {
		section(&b, "EXAMPLES", cmd.Example)
	}
	manSeeAlso(&b, cmd)
	return b.String()
}

// section is text as it stands.
func section(b *strings.Builder, title, text string) {
	fmt.Fprintf(b, ".SH %s\n.nf\n%s\n.fi\n", title, roffText(strings.Trim(text, "\n")))
}

func manOptions(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableLocalFlags() {
		return
	}
	b.WriteString(".SH OPTIONS\n")
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roffText(name), roffText(usage))
	})
}

func manSeeAlso(b *strings.Builder, cmd *cobra.Command) {
	var pages []string
	if cmd.HasParent() {
		pages = append(pages, manName(cmd.Parent())+"(1)")
	}
	for _, child := range cmd.Commands() {
		if !child.Hidden && child.Name() != "help" {
			pages = append(pages, manName(child)+"(1)")
		}
	}
	fmt.Fprintf(b, ".SH SEE ALSO\n%s\n", roffText(strings.Join(pages, ", ")))
}

// roffText escapes what would steer the formatter.
func roffText(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// roffWord is one argument of a macro.
func roffWord(text string) string { return `"` + strings.ReplaceAll(roffText(text), `"`, `\(dq`) + `"` }

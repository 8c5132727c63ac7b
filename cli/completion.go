package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script of a shell",
		Long: `Print the script that completes commands, flags and the names of running services
in SHELL: ` + strings.Join(shells, ", ") + `.
` + exitCodesHelp,
		Example: `  source <(greenlight completion bash)
  greenlight completion zsh > "${fpath[1]}/_greenlight"
  greenlight completion fish > ~/.config/fish/completions/greenlight.fish`,
		Args:                  takes(1, 1),
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(env.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(env.Stdout)
			case "fish":
				return root.GenFishCompletion(env.Stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(env.Stdout)
			}
			return &usageError{fmt.Errorf("no completion for %q; there is one for %s", args[0], strings.Join(shells, ", "))}
		},
	}
}

// completionPatience is how long a shell waits for names of services.
const completionPatience = 300 * time.Millisecond

// completeServices completes the names of running services: as the first
// argument, or as a flag's value when one is named. It is silent when nothing
// runs.
func completeServices(cmd *cobra.Command, flag string) {
	complete := func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if flag == "" && len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return runningServices(cmd), cobra.ShellCompDirectiveNoFileComp
	}
	if flag == "" {
		cmd.ValidArgsFunction = complete
		return
	}
	// It fails only for a flag that does not exist.
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err)
	}
}

func runningServices(cmd *cobra.Command) []string {
	var o connectOptions
	for name, target := range map[string]*string{"control": &o.control, "state": &o.state, "token-file": &o.tokenFile} {
		if f := cmd.Flags().Lookup(name); f != nil {
			*target = f.Value.String()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
	defer cancel()
	c, err := o.connect("")
	if err != nil {
		return nil
	}
	s, err := c.Status(ctx)
	if err != nil {
		return nil
	}
	environments := make(map[string]int)
	for _, n := range servicesOf(s) {
		environments[n.service]++
	}
	var names []string
	for _, n := range servicesOf(s) {
		if environments[n.service] > 1 {
			names = append(names, n.String())
			continue
		}
		names = append(names, n.service)
	}
	return names
}

package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/seal"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "stepgate",
		Usage: "COMMAND",
		Short: "Makes keys, lists and checks presets for Stepgate",
		CobraFunc: func(cmd *cobra.Command) {
			for _, c := range Commands() {
				sub := &cobra.Command{Use: strings.TrimSpace(c.Name + " " + c.Usage), Short: c.Short, Long: c.Long}
				c.CobraFunc(sub)
				cmd.AddCommand(sub)
			}
		},
	})
}

// Commands are the subcommands of `stepgate` in a Caddy that was built with
// this module. The program stepgate has them at its top level as well.
func Commands() []caddycmd.Command {
	return []caddycmd.Command{
		{
			Name:      "keys",
			Usage:     "new",
			Short:     "Makes master keys for Stepgate",
			CobraFunc: keysCommand,
		},
		{
			Name:      "preset",
			Usage:     "check",
			Short:     "Holds a preset against a running console",
			CobraFunc: presetCommand,
		},
		{
			Name:      "users",
			Usage:     "COMMAND",
			Short:     "Helps people: lists, resets, locks, and makes those of `first_factor password`",
			CobraFunc: usersCommand,
		},
		{
			Name:      "backup",
			Usage:     "FILE",
			Short:     "Writes all accounts of the running gateway into a sealed file",
			CobraFunc: backupCommand,
		},
		{
			Name:      "restore",
			Usage:     "FILE",
			Short:     "Fills an empty accounts store from a backup, while the gateway is stopped",
			CobraFunc: restoreCommand,
		},
		{
			Name:  "presets",
			Short: "Lists the consoles that Stepgate has a preset for",
			Long:  "Lists the presets for `first_factor console PRESET`, with the consoles' versions that were tested.",
			CobraFunc: func(cmd *cobra.Command) {
				cmd.Args = cobra.NoArgs
				cmd.RunE = listPresets
			},
		},
	}
}

func keysCommand(cmd *cobra.Command) {
	cmd.AddCommand(&cobra.Command{
		Use:   "new",
		Short: "Prints a new master key",
		Long: "Prints a new master key in base64, for a directory that `keys` names in the configuration:\n\n" +
			"  (umask 077; stepgate keys new > /etc/stepgate/keys/k1.key)",
		Args: cobra.NoArgs,
		Run:  func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), newKey()) },
	})
}

// newKey is a master key as a key directory holds it.
func newKey() string {
	secret := make([]byte, seal.KeySize)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(secret)
}

func listPresets(cmd *cobra.Command, _ []string) error {
	for _, name := range firstfactor.Presets() {
		preset, err := firstfactor.Console{Preset: name}.WithPreset()
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: tested with %s\n", name, strings.Join(preset.Tested, ", "))
		for _, note := range preset.Notes {
			fmt.Fprintf(cmd.OutOrStdout(), "\t%s\n", note)
		}
	}
	return nil
}

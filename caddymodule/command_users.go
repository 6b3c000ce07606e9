package caddymodule

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/admin"
)

// usersCommand manages the people of `first_factor password`.
func usersCommand(cmd *cobra.Command) {
	var realm, socket string
	cmd.PersistentFlags().StringVar(&realm, "realm", "", "the realm of the people; a site's default realm is its name")
	cmd.PersistentFlags().StringVar(&socket, "socket", defaultSocket(), "where the running gateway listens (admin_socket)")
	client := func() *admin.Client { return admin.NewClient(socket) }
	cmd.AddCommand(
		forUser("create NAME", "Makes a person and prints the link by which the password is chosen", func(ctx context.Context, name string) (admin.Invitation, error) {
			return client().CreateUser(ctx, realm, name)
		}),
		forUser("link NAME", "Prints a new link for a person, in place of the last one or a forgotten password", func(ctx context.Context, name string) (admin.Invitation, error) {
			return client().RenewLink(ctx, realm, name)
		}),
		&cobra.Command{Use: "list", Short: "Lists the people of a realm", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			users, err := client().Users(cmd.Context(), realm)
			printUsers(cmd.OutOrStdout(), users)
			return err
		}},
	)
	for _, sub := range cmd.Commands() {
		sub.PreRunE = func(*cobra.Command, []string) error {
			if realm == "" {
				return fmt.Errorf("say whose people: --realm NAME")
			}
			return nil
		}
	}
}

func forUser(use, short string, do func(context.Context, string) (admin.Invitation, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		i, err := do(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nGive this link to %s on a way that nobody else reads. It works once, until %s.\n",
			i.Link, i.Name, i.ExpiresAt.UTC().Format(minute))
		return nil
	}}
}

const minute = "2006-01-02 15:04 MST"

func printUsers(w io.Writer, users []admin.User) {
	for _, u := range users {
		state := "no password yet"
		if !u.PasswordSetAt.IsZero() {
			state = "password of " + u.PasswordSetAt.UTC().Format(minute)
		}
		if !u.LinkExpiresAt.IsZero() {
			state += ", a link until " + u.LinkExpiresAt.UTC().Format(minute)
		}
		fmt.Fprintf(w, "%s\tsince %s\t%s\n", u.Name, u.CreatedAt.UTC().Format(time.DateOnly), state)
	}
}

package caddymodule

import (
	"crypto/tls"
	"errors"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/admin"
)

// usersCommand helps people: it asks the running gateway.
func usersCommand(cmd *cobra.Command) {
	u := new(usersCall)
	f := cmd.PersistentFlags()
	f.StringVar(&u.realm, "realm", "", "the realm of the people; a site's default realm is its name")
	f.StringVar(&u.socket, "socket", defaultSocket(), "where the running gateway listens (admin_socket)")
	f.StringVar(&u.server, "server", "", "HOST:PORT of a gateway on another machine (admin_tls), instead of the socket")
	f.StringVar(&u.files.Cert, "cert", "", "a file with your certificate, for --server")
	f.StringVar(&u.files.Key, "key", "", "a file with your certificate's key, for --server")
	f.StringVar(&u.files.CA, "ca", "", "a file with the authority of the gateway's certificate; by default the system's")
	f.BoolVar(&u.json, "json", false, "print JSON, for scripts")
	cmd.AddCommand(u.looking()...)
	cmd.AddCommand(u.making()...)
	cmd.AddCommand(u.helping()...)
	cmd.AddCommand(u.deciding()...)
}

// usersCall is one call of the command.
type usersCall struct {
	realm, socket, server string
	files                 TLS
	json                  bool
	change                admin.Filing // all that a change may need
	part                  admin.Search
	open                  bool
}

// client asks over the socket, or over the network.
func (u *usersCall) client() (*admin.Client, error) {
	if u.server == "" {
		return admin.NewClient(u.socket), nil
	}
	if u.files.Cert == "" || u.files.Key == "" {
		return nil, errors.New("say who you are: --cert FILE --key FILE")
	}
	c, _, err := u.files.load()
	if err != nil {
		return nil, err
	}
	c.MinVersion = tls.VersionTLS13
	return admin.NewTLSClient(u.server, c), nil
}

func (u *usersCall) needRealm(*cobra.Command, []string) error {
	if u.realm == "" {
		return errors.New("say whose people: --realm NAME")
	}
	return nil
}

// look asks for what a path shows, and prints it.
func look[T any](u *usersCall, cmd *cobra.Command, path string, query url.Values, show func(*table, T)) error {
	client, err := u.client()
	if err != nil {
		return err
	}
	var found T
	if err := client.Look(cmd.Context(), path, query, &found); err != nil {
		return err
	}
	return u.print(cmd.OutOrStdout(), found, func(t *table) { show(t, found) })
}

// looking are the commands that change nothing.
func (u *usersCall) looking() []*cobra.Command {
	people := func(cmd *cobra.Command, part string) error {
		return look(u, cmd, "/v1/users", url.Values{"realm": {u.realm}, "part": {part}, "after": {string(u.part.After)}}, showUsers)
	}
	list := &cobra.Command{Use: "list", Short: "Lists the people of a realm, 100 at a time", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return people(cmd, "") }}
	search := &cobra.Command{Use: "search PART", Short: "Lists the people whose name holds a part", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return people(cmd, args[0]) }}
	for _, c := range []*cobra.Command{list, search} {
		c.Flags().StringVar((*string)(&u.part.After), "after", "", "go on behind this name")
	}
	show := &cobra.Command{Use: "show NAME", Short: "Shows a person: factors, contacts, browsers, sessions, the open request, and what happened last", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return look(u, cmd, "/v1/users/show", url.Values{"realm": {u.realm}, "name": {args[0]}}, showPerson)
		}}
	requests := &cobra.Command{Use: "requests", Short: "Lists who asked for help, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"realm": {u.realm}}
			if u.open {
				query.Set("open", "yes")
			}
			return look(u, cmd, "/v1/requests", query, showRequests)
		}}
	requests.Flags().BoolVar(&u.open, "open", false, "only those that are not decided")
	return u.ofRealm(list, search, show, requests)
}

func (u *usersCall) ofRealm(all ...*cobra.Command) []*cobra.Command {
	for _, c := range all {
		c.PreRunE = u.needRealm
	}
	return all
}

package caddymodule

import (
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/admin"
)

// changing is a command that changes something about somebody: ask makes what
// is sent of what was typed.
func changing[T any](u *usersCall, use, short, path string, ask func(of string) any, show func(*table, T)) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		client, err := u.client()
		if err != nil {
			return err
		}
		var done T
		if err := client.Change(cmd.Context(), path, ask(args[0]), &done); err != nil {
			return err
		}
		return u.print(cmd.OutOrStdout(), done, func(t *table) { show(t, done) })
	}}
	c.Flags().StringVar(&u.change.Why, "why", "", "why, for the audit trail")
	return c
}

// about is a change of a person.
func (u *usersCall) about(name string) admin.Change {
	return admin.Change{Whom: admin.Whom{Realm: u.realm, Name: admin.Name(name)}, Why: u.change.Why}
}

// making are the commands that make people, and say how they are reached.
func (u *usersCall) making() []*cobra.Command {
	create := changing(u, "create NAME", "Makes a person and prints the link by which the password is chosen", "/v1/users",
		func(name string) any { return admin.Creation{Change: u.about(name), OnFile: u.change.OnFile} }, showInvitation)
	link := changing(u, "link NAME", "Prints a new link for a person, in place of the last one or a forgotten password", "/v1/users/link",
		func(name string) any { return u.about(name) }, showInvitation)
	contact := changing(u, "contact NAME", "Puts contacts on file of somebody who never bound a factor", "/v1/users/contact",
		func(name string) any {
			return admin.Filing{Expected: u.expected(name), OnFile: u.change.OnFile}
		}, showDone("is on file"))
	u.newFlag(contact)
	for _, c := range []*cobra.Command{create, contact} {
		c.Flags().StringVar(&u.change.Mail, "mail", "", "a mail address of the person")
		c.Flags().StringVar(&u.change.Phone, "phone", "", "a mobile number of the person, with + and the country")
		c.Flags().StringVar(&u.change.Language, "language", "", "what to write in, as zh")
	}
	return u.ofRealm(create, link, contact)
}

func (u *usersCall) expected(name string) admin.Expected {
	return admin.Expected{Change: u.about(name), New: u.change.New}
}

func (u *usersCall) newFlag(c *cobra.Command) {
	c.Flags().BoolVar(&u.change.New, "new", false, "the name is right, although nobody of it was here yet")
}

// helping are the commands for who lost something, or must not come in.
func (u *usersCall) helping() []*cobra.Command {
	var factor, session string
	person := func(name string) any { return u.about(name) }
	expected := func(name string) any { return u.expected(name) }
	reset := changing(u, "reset NAME", "Removes a person's factors, or one of them, and ends the sessions", "/v1/users/reset",
		func(name string) any { return admin.Reset{Change: u.about(name), Factor: factor} }, showDone("is reset, and the sessions ended"))
	reset.Flags().StringVar(&factor, "factor", "", "the id of the one to remove; without it, all")
	end := changing(u, "end-sessions NAME", "Ends a person's sessions, or one of them", "/v1/users/end-sessions",
		func(name string) any { return admin.Ending{Change: u.about(name), Session: session} }, showDone("is signed out"))
	end.Flags().StringVar(&session, "session", "", "the id of the one to end; without it, all")
	ticket := changing(u, "ticket NAME", "Prints a ticket by which a person binds a factor once", "/v1/users/ticket", expected, showDone("has a ticket"))
	lock := changing(u, "lock NAME", "Keeps a person out, and ends the sessions", "/v1/users/lock", expected, showDone("is locked out"))
	u.newFlag(ticket)
	u.newFlag(lock)
	return u.ofRealm(reset, end, ticket, lock,
		changing(u, "unlock NAME", "Lets a person in again", "/v1/users/unlock", person, showDone("is let in again")),
		changing(u, "require-rebinding NAME", "Has a person bind another factor at the next sign-in", "/v1/users/require-rebinding", person,
			showDone("binds another factor at the next sign-in")))
}

// deciding are the commands for requests. A reference is of one realm.
func (u *usersCall) deciding() []*cobra.Command {
	ruling := func(reference string) any { return admin.Ruling{Reference: reference, Why: u.change.Why} }
	return []*cobra.Command{
		changing(u, "approve REFERENCE", "Approves a request: removes the factors, ends the sessions and prints a ticket", "/v1/requests/approve", ruling,
			showDone("is reset, and the sessions ended")),
		changing(u, "refuse REFERENCE", "Refuses a request", "/v1/requests/refuse", ruling, showDone("is refused")),
	}
}

package caddymodule

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/presetcheck"
)

const checkHelp = `Signs in to a running console, once with a wrong password and once with the
right one, judges both answers as the gateway would, and says what it saw,
what is wrong with the preset and what stays unclear. It changes nothing in the
console and signs out at the end.

URL is the console's own address, as the gateway would reach it, or
unix//path/to/a/socket. The password is asked for, or read from standard input
or a file; it is never an argument.

  stepgate preset check --preset dokuwiki --name alice http://localhost:8080

The exit code is 0 only if the good login is a success that names the person,
the bad one a failure, and nothing is wrong.`

func presetCommand(cmd *cobra.Command) {
	check := &cobra.Command{
		Use:   "check --preset PRESET --name NAME [flags] URL",
		Short: "Holds a preset against a running console",
		Long:  checkHelp,
		Args:  cobra.ExactArgs(1),
		RunE:  checkPreset,
	}
	f := check.Flags()
	f.String("preset", "", "a preset's name, or a file")
	f.String("name", "", "whom to sign in as")
	f.String("password-file", "", "file whose first line is the password; - for standard input")
	f.String("host", "", "what to call the console, if it listens to a name")
	f.String("page", "", "path that only people who are signed in may see (default: found)")
	f.String("logout", "", "\"[METHOD] /path\" that signs out (default: found)")
	f.String("password-field", "", "the password's field; a pointer for JSON (default: found)")
	f.StringToString("field", nil, "a further field of the login, as name=value")
	f.Int("login", 1, "which of the preset's logins to try")
	f.Duration("timeout", 10*time.Second, "bounds each request")
	cmd.AddCommand(check)
}

func checkPreset(cmd *cobra.Command, args []string) error {
	cmd.SilenceUsage = true
	check, err := readCheck(cmd, args[0])
	if err != nil {
		return err
	}
	if check.Password, err = readPassword(cmd); err != nil {
		return err
	}
	report := check.Run(cmd.Context())
	if _, err := report.WriteTo(cmd.OutOrStdout()); err != nil {
		return err
	}
	if !report.Passed() {
		return errors.New("the preset does not fit this console")
	}
	return nil
}

// readCheck reads all but the password.
func readCheck(cmd *cobra.Command, address string) (check presetcheck.Check, err error) {
	text := func(name string) string {
		value, _ := cmd.Flags().GetString(name) // declared above, as are all
		return value
	}
	if text("preset") == "" || text("name") == "" {
		return check, errors.New("give the preset with --preset, as dokuwiki or ./console.json, and whom to sign in as with --name")
	}
	console, err := consoleOf(text("preset"))
	if err != nil {
		return check, err
	}
	rule, _ := cmd.Flags().GetInt("login")
	if rule < 1 || rule > len(console.Logins) || console.Logins[rule-1].Federated != nil {
		return check, fmt.Errorf("--login %d: give the number of a login with name and password; the preset has %d in all", rule, len(console.Logins))
	}
	check = presetcheck.Check{Console: console, Rule: rule - 1, Name: text("name"), Host: text("host"),
		Page: text("page"), Logout: text("logout"), PasswordField: text("password-field")}
	check.Fields, _ = cmd.Flags().GetStringToString("field")
	check.Timeout, _ = cmd.Flags().GetDuration("timeout")
	return check, setAddress(&check, address)
}

// consoleOf is a preset as a site would use it.
func consoleOf(preset string) (*firstfactor.Console, error) {
	console, err := firstfactor.Console{Preset: preset}.WithPreset()
	if err != nil {
		return nil, err
	}
	for _, login := range console.Logins {
		if len(login.Match.Matcher) > 0 {
			return nil, errors.New("the preset's login has a matcher of Caddy's, which only a gateway can ask: name methods and paths instead")
		}
	}
	return &console, console.Prepare()
}

// setAddress reads the console's address.
func setAddress(check *presetcheck.Check, address string) error {
	if socket, unix := strings.CutPrefix(address, "unix/"); unix {
		check.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		address = "http://localhost"
	}
	base, err := url.Parse(address)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return errors.New("the address: give the console's own, as http://localhost:8080, https://console.internal or unix//run/console.sock")
	case base.User != nil:
		return errors.New("the address holds a name or a password: give the name with --name; the password is asked for")
	case strings.Trim(base.Path, "/") != "" || base.RawQuery != "":
		return errors.New("the address has a path: a preset's paths begin at the console's root, so give scheme and host alone")
	}
	base.Path = cmp.Or(base.Path, "/")
	check.Base = base
	return nil
}

// readPassword takes the first line of a file or of standard input; a person
// at a terminal is asked, and what is typed is not shown.
func readPassword(cmd *cobra.Command) (string, error) {
	file, _ := cmd.Flags().GetString("password-file")
	if file != "" && file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("password-file: %w", err)
		}
		defer opened.Close()
		return firstLine(opened)
	}
	terminal, ok := cmd.InOrStdin().(*os.File)
	if file == "-" || !ok || !term.IsTerminal(int(terminal.Fd())) {
		return firstLine(cmd.InOrStdin())
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
	typed, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	if err == nil && len(typed) == 0 {
		err = errNoPassword
	}
	return string(typed), err
}

var errNoPassword = errors.New("no password was given: type it, or name a file with --password-file")

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errNoPassword
	}
	return line, nil
}

package main

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/demo"
)

//go:embed demo.Caddyfile
var demoCaddyfile []byte

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Usage: "[--port 8080] [--data DIRECTORY]",
		Short: "Runs Stepgate in front of a small console to try it out",
		Long:  "Starts a small console with a login of its own behind this gateway, on this machine only, and says what to try.",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Flags().Int("port", 8080, "port on localhost; 0 for a free one")
			cmd.Flags().String("data", "", "directory that keeps what was bound (default: a scratch one, removed at the end)")
			cmd.RunE = runDemo
		},
	})
}

func runDemo(cmd *cobra.Command, _ []string) error {
	data, remove, err := demoData(cmd)
	if err != nil {
		return err
	}
	defer remove()
	port, err := demoPort(cmd)
	if err != nil {
		return err
	}
	stop, err := startConsole(filepath.Join(data, "console.sock"))
	if err != nil {
		return err
	}
	defer stop()
	if err := startGateway(data, port); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), welcome, port, data)
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	<-interrupt
	return caddy.Stop()
}

const welcome = `
Stepgate is in front of a small console with a login of its own:

  http://localhost:%d

  name        password
  alice       alice-demo     (also by her mail address, alice@example.com)
  bob         bob-demo

What to try:
  1. Sign in as alice. The console accepts her; Stepgate holds its answer back and
     shows a QR code. Scan it with an authenticator app, type two codes in a row.
  2. Delete an access key, with the form and with the button that uses a script.
  3. Sign out and in again: one code is enough now. Try a wrong one, and a used one.
  4. Copy the cookie console_session into another browser: it opens nothing there.

Data is in %s. Stop with Ctrl+C.
`

// demoData is the directory that the flag names, or a scratch one.
func demoData(cmd *cobra.Command) (dir string, remove func(), err error) {
	if dir, _ = cmd.Flags().GetString("data"); dir != "" {
		dir, err = filepath.Abs(dir)
		return dir, func() {}, errors.Join(err, os.MkdirAll(dir, 0o700))
	}
	dir, err = os.MkdirTemp("", "stepgate-demo-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// demoPort tries the port before Caddy does, for a plainer error.
func demoPort(cmd *cobra.Command) (int, error) {
	port, err := cmd.Flags().GetInt("port")
	if err != nil {
		return 0, err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("port %d is taken: stop what uses it, or choose another with --port", port)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// startConsole listens on a socket file, which no browser can reach around
// the gateway.
func startConsole(socket string) (stop func(), err error) {
	_ = os.Remove(socket) // of a demo that was killed
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: demo.NewConsole(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return func() { _ = server.Close() }, nil
}

func startGateway(data string, port int) error {
	for name, value := range map[string]string{
		"STEPGATE_DEMO_DATA": data, "STEPGATE_DEMO_PORT": strconv.Itoa(port), "XDG_DATA_HOME": data,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(demoCaddyfile, map[string]any{"filename": "demo.Caddyfile"})
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"
)

// Gateway is the built binary, run with a Caddyfile as an operator runs it, in folders of its own.
type Gateway struct {
	URL    string // http://localhost:PORT
	TLSURL string // https://localhost:TLSPORT, if the Caddyfile serves it
	Dir    string // home, data and configuration

	t       testing.TB
	binary  string
	values  values
	process *process   // the one that runs, or ran last
	runs    []*process // all of them, for their logs
}

// values are what a Caddyfile can name: {{.Port}}, {{.TLSPort}} and {{.Admin}} are free ports, {{.Global}} the lines
// for the global options that keep a test to itself, {{.Upstream}} the first console and {{.Upstreams}} all of them,
// {{.Dir}} a folder for the test's files.
type values struct {
	Port, TLSPort, Admin int
	Global, Dir          string
	Upstream             string
	Upstreams            []string
}

const global = `admin 127.0.0.1:%d
	http_port %d
	https_port %d
	auto_https disable_redirects
	skip_install_trust`

// StartGateway runs the gateway in front of the consoles, if any, until it answers. The Caddyfile is a text/template
// over the values above, such as
//
//	{
//		{{.Global}}
//	}
//	http://localhost:{{.Port}} {
//		stepgate wiki {
//			first_factor console dokuwiki
//		}
//		reverse_proxy {{.Upstream}}
//	}
func StartGateway(t testing.TB, caddyfile string, consoles ...*Console) *Gateway {
	t.Helper()
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	v := values{Port: FreePort(t), TLSPort: FreePort(t), Admin: FreePort(t), Dir: t.TempDir()}
	v.Global = fmt.Sprintf(global, v.Admin, v.Port, v.TLSPort)
	for _, console := range consoles {
		v.Upstreams = append(v.Upstreams, console.Addr)
	}
	if len(consoles) > 0 {
		v.Upstream = consoles[0].Addr
	}
	g := &Gateway{
		URL:    fmt.Sprintf("http://localhost:%d", v.Port),
		TLSURL: fmt.Sprintf("https://localhost:%d", v.TLSPort),
		Dir:    v.Dir, t: t, binary: binary, values: v,
	}
	g.write(caddyfile)
	g.run()
	return g
}

// gatewayBinary is STEPGATE_BINARY, or built once for all tests.
var gatewayBinary = sync.OnceValues(func() (string, error) {
	if binary := os.Getenv("STEPGATE_BINARY"); binary != "" {
		return binary, nil
	}
	binary := filepath.Join(checkout(), ".cache", "stepgate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/stepgate")
	build.Dir = checkout()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return binary, nil
})

// write fills in a Caddyfile and puts it where the gateway reads it.
func (g *Gateway) write(caddyfile string) {
	g.t.Helper()
	filled, err := template.New("Caddyfile").Option("missingkey=error").Parse(caddyfile)
	if err != nil {
		g.t.Fatal(err)
	}
	var text strings.Builder
	if err := filled.Execute(&text, g.values); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.config(), []byte(text.String()), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *Gateway) config() string { return filepath.Join(g.Dir, "Caddyfile") }
func (g *Gateway) admin() string  { return fmt.Sprintf("127.0.0.1:%d", g.values.Admin) }

// Command is the binary with arguments, in the gateway's folders.
func (g *Gateway) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(g.binary, args...)
	cmd.Dir = g.Dir
	cmd.Env = append(os.Environ(), "HOME="+g.Dir,
		"XDG_DATA_HOME="+filepath.Join(g.Dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(g.Dir, "config"))
	return cmd
}

func (g *Gateway) run() {
	g.t.Helper()
	g.process = start(g.t, "the gateway", g.Command("run", "--config", g.config(), "--adapter", "caddyfile"))
	g.runs = append(g.runs, g.process)
	g.process.wait(g.t, time.Minute, func() bool {
		res, err := http.Get("http://" + g.admin() + "/config/")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// Reload loads another Caddyfile the way an operator does. A configuration that is refused is an error with all that
// the command said, and the old one goes on.
func (g *Gateway) Reload(caddyfile string) error {
	g.t.Helper()
	g.write(caddyfile)
	out, err := g.Command("reload", "--config", g.config(), "--adapter", "caddyfile", "--address", g.admin()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Stop ends the gateway as a service manager does.
func (g *Gateway) Stop() { g.process.stop() }

// Kill9 ends the gateway at once; nothing can be written any more.
func (g *Gateway) Kill9() { g.process.kill() }

// Restart runs the gateway again on the same folders and ports, stopping it first if it still runs.
func (g *Gateway) Restart() {
	g.t.Helper()
	select {
	case <-g.process.done:
	default:
		g.Stop()
	}
	g.run()
}

// Logs are all that the gateway printed, over all restarts.
func (g *Gateway) Logs() string {
	var all strings.Builder
	for _, p := range g.runs {
		all.WriteString(p.out.String())
	}
	return all.String()
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// nodeRedSettings make a Node-RED that keeps to itself: two people, nothing fetched, every request in its log.
const nodeRedSettings = `module.exports = {
	uiHost: "127.0.0.1", uiPort: %d, flowFile: "flows.json", credentialSecret: "of a test",
	adminAuth: {type: "credentials", users: %s},
	telemetry: {enabled: false, updateNotification: false},
	editorTheme: {tours: false},
	logging: {console: {level: "info", metrics: false, audit: true}}
}`

// nodeRedFlows are one page of flows, which only people who are signed in may read.
const nodeRedFlows = `[{"id": "f1", "type": "tab", "label": "%s", "disabled": true, "info": ""}]`

type nodeRedUser struct {
	Username    string `json:"username"`
	Password    string `json:"password"`
	Permissions string `json:"permissions"`
}

// StartNodeRed runs a fresh Node-RED that Alice and Bob may edit.
func StartNodeRed(t testing.TB) *Console {
	t.Helper()
	folder, err := script("nodered.sh")
	if err != nil {
		t.Fatal(err)
	}
	const marker = "secret of the flows 5127"
	port, dir := FreePort(t), t.TempDir()
	users, err := json.Marshal([]nodeRedUser{nodeRedPerson(t, Alice), nodeRedPerson(t, Bob)})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"settings.js": fmt.Sprintf(nodeRedSettings, port, users), "flows.json": fmt.Sprintf(nodeRedFlows, marker),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", filepath.Join(folder, "node_modules/node-red/red.js"),
		"--userDir", dir, "--settings", filepath.Join(dir, "settings.js"))
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8"}
	c := &Console{Addr: fmt.Sprintf("127.0.0.1:%d", port), Secret: "/flows", Marker: marker, server: start(t, "Node-RED", cmd)}
	c.URL = "http://" + c.Addr
	c.login = form{"/", "#node-dialog-login-username", "#node-dialog-login-password", "#node-dialog-login-submit"}
	c.server.wait(t, time.Minute, func() bool { return answers(c.URL) })
	return c
}

func nodeRedPerson(t testing.TB, a Account) nodeRedUser {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(a.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return nodeRedUser{a.Name, string(hash), "*"}
}

// nodeRedToken is the token in a login's answer, or nothing.
func nodeRedToken(a Answer) string {
	var got struct {
		Token string `json:"access_token"`
	}
	if a.StatusCode != http.StatusOK || json.Unmarshal([]byte(a.Text), &got) != nil {
		return ""
	}
	return got.Token
}

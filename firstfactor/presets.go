package firstfactor

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

//go:embed presets/*.json
var embedded embed.FS

// Presets lists the names of the embedded presets.
func Presets() []string {
	var names []string
	files, _ := fs.Glob(embedded, "presets/*.json") // the pattern is constant
	for _, f := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(f, "presets/"), ".json"))
	}
	return names
}

// WithPreset returns the description with everything that it leaves out taken
// from its preset.
func (c Console) WithPreset() (Console, error) {
	if c.Preset == "" {
		return c, nil
	}
	p, err := loadPreset(c.Preset)
	if err != nil {
		return c, err
	}
	keep(&c.LoginPage, p.LoginPage, c.LoginPage != "")
	keep(&c.Logins, p.Logins, c.Logins != nil)
	keep(&c.Subject, p.Subject, c.Subject != nil)
	keep(&c.SessionCookies, p.SessionCookies, c.SessionCookies != nil)
	keep(&c.SessionHeaders, p.SessionHeaders, c.SessionHeaders != nil)
	keep(&c.SessionTokens, p.SessionTokens, c.SessionTokens != nil)
	keep(&c.SessionFields, p.SessionFields, c.SessionFields != nil)
	keep(&c.SessionMessages, p.SessionMessages, c.SessionMessages != nil)
	keep(&c.Problem, p.Problem, c.Problem != nil)
	c.Rolling = c.Rolling || p.Rolling
	c.Public = slices.Concat(p.Public, c.Public)
	c.Logout = slices.Concat(p.Logout, c.Logout)
	c.PasswordChange = slices.Concat(p.PasswordChange, c.PasswordChange)
	c.Refuse = slices.Concat(p.Refuse, c.Refuse)
	c.TokenEndpoints = slices.Concat(p.TokenEndpoints, c.TokenEndpoints)
	c.Tested, c.Notes = p.Tested, p.Notes
	return c, nil
}

func keep[T any](own *T, preset T, said bool) {
	if !said {
		*own = preset
	}
}

func loadPreset(name string) (Console, error) {
	text, err := readPreset(name)
	if err != nil {
		return Console{}, err
	}
	var c Console
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Console{}, fmt.Errorf("preset %s: %w", name, err)
	}
	if c.Preset != "" {
		return Console{}, fmt.Errorf("preset %s: a preset cannot start from another preset", name)
	}
	return c, nil
}

func readPreset(name string) ([]byte, error) {
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".json") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("preset: %w", err)
		}
		return text, nil
	}
	text, err := embedded.ReadFile("presets/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("there is no preset %q; there are %s; a file of your own is named with a slash, as ./%s.json",
			name, strings.Join(Presets(), ", "), name)
	}
	return text, nil
}

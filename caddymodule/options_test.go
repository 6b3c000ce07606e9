package caddymodule

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Point 10: JSON says as much as a Caddyfile. All goldens load as JSON, and
// come out of the structs as they went in.
func TestJSONEqualsCaddyfile(t *testing.T) {
	etc := operatorFiles(t)
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("BRAND", "Example")
	t.Setenv("KEYS", filepath.Join(etc, "keys"))
	t.Setenv("HELPDESK", "4321")
	t.Setenv("SECRET", "hunter2")
	t.Setenv("REDIS", "r1")
	t.Setenv("SMTP", "smtp.example.com:465")
	t.Setenv("SMS_HOST", "sms.example.com")
	t.Setenv("PROXY", "10.1.2.3")
	t.Setenv("ADMIN_HOST", "10.1.2.3")
	goldenInputs(t, func(t *testing.T, input string) {
		input = strings.ReplaceAll(input, "/etc/stepgate", etc)
		input = strings.ReplaceAll(input, "/srv/pages", etc+"/pages")
		input = strings.ReplaceAll(input, "{env.KEYS}/stepgate", "{env.KEYS}")
		config, err := adapt(input, "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(quiet(t, config)); err != nil {
			t.Error(err)
		}
		roundTrips(t, config)
	})
}

// operatorFiles is what the goldens name under /etc/stepgate.
func operatorFiles(t *testing.T) string {
	etc := t.TempDir()
	for _, dir := range []string{"keys", "pages"} {
		if err := os.Mkdir(filepath.Join(etc, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	addKey(t, filepath.Join(etc, "keys"), "k1")
	writeFile(t, filepath.Join(etc, "help.txt"), "Call 4321.\n")
	writeFile(t, filepath.Join(etc, "secret"), "hunter2\n")
	writeCertificate(t, filepath.Join(etc, "ca.pem"), filepath.Join(etc, "ca.key"))
	writeFile(t, filepath.Join(etc, "jwks.json"), readFile(t, "../firstfactor/testdata/openssl/keys.json"))
	writeFile(t, filepath.Join(etc, "crm.json"), readFile(t, "../firstfactor/presets/dokuwiki.json"))
	return etc
}

func writeCertificate(t *testing.T, cert, key string) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
}

func goldenInputs(t *testing.T, use func(t *testing.T, input string)) {
	paths, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no goldens (%v)", err)
	}
	for _, path := range paths {
		input, _, _ := strings.Cut(readFile(t, path), between)
		t.Run(filepath.Base(path), func(t *testing.T) { use(t, input) })
	}
}

// quiet is a configuration that logs nowhere and has no admin endpoint.
func quiet(t *testing.T, config []byte) *caddy.Config {
	t.Helper()
	cfg := new(caddy.Config)
	if err := json.Unmarshal(config, cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Admin = &caddy.AdminConfig{Disabled: true}
	cfg.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`)}}}}
	return cfg
}

// roundTrips decodes each of our objects strictly and encodes it again.
func roundTrips(t *testing.T, config []byte) {
	var whole any
	if err := json.Unmarshal(config, &whole); err != nil {
		t.Fatal(err)
	}
	found := 0
	eachObject(whole, func(o map[string]any) {
		if o["handler"] == "stepgate" {
			delete(o, "handler")
			roundTrip(t, o, new(Handler))
			found++
		}
		if app, ok := o["stepgate"].(map[string]any); ok {
			roundTrip(t, app, new(App))
		}
	})
	if found == 0 {
		t.Error("no site in the configuration")
	}
}

func eachObject(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			eachObject(inner, visit)
		}
	case []any:
		for _, inner := range v {
			eachObject(inner, visit)
		}
	}
}

func roundTrip(t *testing.T, object map[string]any, into any) {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(again, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, object) {
		t.Errorf("%s\nbecomes\n%s", text, again)
	}
}

// Point 10: what JSON refuses is what the Caddyfile refuses, since both are
// checked by the same functions.
func TestJSONRefused(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	const console = `"first_factor":[{"console":{"preset":"dokuwiki"}}]`
	t.Setenv("STEPGATE_DSN", "host=a password=hunter2")
	const accounts = `"accounts":{"postgres":{"dsn":"host=a"}}`
	for name, c := range map[string]struct{ site, app, says string }{
		"unknown_word":        {`"name":"a","protcet":[],` + console, `{}`, "protcet"},
		"no_name":             {console, `{}`, `the name ""`},
		"no_factor":           {`"name":"a"`, `{}`, "first_factor: say"},
		"empty_rule":          {`"name":"a","public":[{}],` + console, `{}`, "public: the rule matches everything"},
		"query_in_path":       {`"name":"a","logout":[{"paths":["/x?y"]}],` + console, `{}`, "logout: "},
		"refuse_query":        {`"name":"a","refuse":[{"paths":["/x?y"]}],` + console, `{}`, "refuse: "},
		"refuse_all":          {`"name":"a","refuse":[{}],` + console, `{}`, "refuse: the rule matches everything"},
		"anywhere_json":       {`"name":"a","first_factor":[{"console":{"preset":"dokuwiki","logins":[{"match":{"paths":["/"]},"username":{"json":"/u","anywhere":true},"success":{"set_cookies":["DW*"]}}]}}]`, `{}`, "only a form's field"},
		"no_bypass":           {`"name":"a","bypass":[{"paths":["/x"]}],` + console, `{}`, "bypass: give it a name"},
		"no_matcher":          {`"name":"a","public":[{"matcher":{"nonsense":{}}}],` + console, `{}`, "nonsense"},
		"observe":             {`"name":"a","observe":"soon",` + console, `{}`, "observe: "},
		"policy":              {`"name":"a","policy":{"session_idle":"1s"},` + console, `{}`, "session_idle: "},
		"preset":              {`"name":"a","first_factor":[{"console":{"preset":"nonsense"}}]`, `{}`, "there is no preset"},
		"preset_file":         {`"name":"a","first_factor":[{"console":{"preset":"./nonsense.json"}}]`, `{}`, "nonsense.json"},
		"jwt_no_audience":     {`"name":"a","first_factor":[{"jwt":{"issuer":"i","jwks":"https://i/keys"}}]`, `{}`, "audience: say"},
		"jwt_none":            {`"name":"a","first_factor":[{"jwt":{"issuer":"i","audience":["a"],"jwks":"https://i/keys","algorithms":["none"]}}]`, `{}`, "checked with a public key"},
		"jwt_file":            {`"name":"a","first_factor":[{"jwt":{"issuer":"i","audience":["a"],"jwks":"/nonsense.json"}}]`, `{}`, "/nonsense.json"},
		"jwt_env":             {`"name":"a","first_factor":[{"jwt":{"issuer":"{env.STEPGATE_MISSING}","audience":["a"],"jwks":"https://i/keys"}}]`, `{}`, "issuer: "},
		"header_no_proxies":   {`"name":"a","first_factor":[{"header":{"name":"Remote-User"}}]`, `{}`, "trusted_proxies: name"},
		"header_everybody":    {`"name":"a","first_factor":[{"header":{"name":"Remote-User","trusted_proxies":["::/0"]}}]`, `{}`, "this is everybody"},
		"header_skip":         {`"name":"a","first_factor":[{"header":{"name":"Remote-User","trusted_proxies":["10.1.2.3"]},"skip":{"mode":"amr","values":["mfa"]}}]`, `{}`, "always or never"},
		"caddy_max_age":       {`"name":"a","first_factor":[{"caddy":{},"skip":{"mode":"always","max_age":"8h"}}]`, `{}`, "always or never"},
		"unknown_group":       {`"name":"a","realm":"staff","allow_groups":["it","ops"],` + console, `{"realms":{"staff":{"groups":{"it":["bob"]}}}}`, "nobody can be in group ops"},
		"two_claims":          {`"name":"a","first_factor":[{"jwt":{"issuer":"https://i","audience":["a"],"jwks":"https://i/keys","subject":"preferred_username"}},{"oidc":{"issuer":"https://i","client_id":"a","client_secret":"b"}}]`, `{}`, "named by sub here and by preferred_username elsewhere"},
		"link_no_origin":      {`"name":"a","realm":"staff",` + console, `{"realms":{"staff":{"link":true}}}`, "origin: the sites of realm staff are linked"},
		"app_factor":          {`"name":"a",` + console, `{"factors":["push"]}`, "there is no factor"},
		"app_factor_sms":      {`"name":"a",` + console, `{"factors":["sms"]}`, "factors: codes by sms need a provider"},
		"app_realm_policy":    {`"name":"a",` + console, `{"realms":{"s":{"policy":{"enroll":"never"}}}}`, "realm s: enroll: "},
		"app_rp_id":           {`"name":"a",` + console, `{"realms":{"s":{"rp_id":"com"}}}`, "realm s: rp_id: "},
		"app_group_unknown":   {`"name":"a",` + console, `{"realms":{"s":{"policy":{"groups":{"it":{"locked":true}}}}}}`, "realm s: group it: the realm has none"},
		"app_group_nothing":   {`"name":"a",` + console, `{"realms":{"s":{"groups":{"it":[]},"policy":{"groups":{"it":null}}}}}`, "group it: say what is asked"},
		"app_group_email":     {`"name":"a",` + console, `{"realms":{"s":{"groups":{"it":[]},"policy":{"groups":{"it":{"factors":["email"],"locked":true}}}}}}`, "email never counts"},
		"app_group_factor":    {`"name":"a",` + console, `{"realms":{"s":{"groups":{"it":[]},"policy":{"groups":{"it":{"factors":["sms"]}}}}}}`, "group it: login_protection: sms counts here"},
		"app_policy_factor":   {`"name":"a",` + console, `{"policy":{"factors":["sms"]}}`, "login_protection: sms counts here"},
		"policy_factor":       {`"name":"a","policy":{"factors":["email"]},` + console, `{}`, "login_protection: email counts here"},
		"policy_enroll":       {`"name":"a","policy":{"enroll":"contact"},` + console, `{}`, "needs a way out"},
		"policy_trust":        {`"name":"a","policy":{"trust_browser":"1"},` + console, `{}`, "trust_browser: "},
		"password_change":     {`"name":"a","first_factor":[{"console":{"preset":"dokuwiki","password_change":[{}]}}]`, `{}`, "the rule matches everything"},
		"rp_id_elsewhere":     {`"name":"a","realm":"s","origin":"https://example.org",` + console, `{"realms":{"s":{"rp_id":"example.com"}}}`, "origin: example.org is not within"},
		"app_policy":          {`"name":"a",` + console, `{"policy":{"login_protection":"off"}}`, "it has required"},
		"app_keys":            {`"name":"a",` + console, `{"keys":"/nonsense"}`, "keys new"},
		"app_overlay":         {`"name":"a",` + console, `{"overlay":"/nonsense"}`, "overlay"},
		"app_brand":           {`"name":"a",` + console, `{"brand":"{env.STEPGATE_MISSING}"}`, "brand: "},
		"app_help":            {`"name":"a",` + console, `{"help":"{file./nonsense}"}`, "help: "},
		"app_sessions":        {`"name":"a",` + console, `{"sessions":{}}`, "sessions: name the store"},
		"app_accounts":        {`"name":"a",` + console, `{"accounts":{}}`, "accounts: name the store"},
		"app_local_accounts":  {`"name":"a",` + console, `{"sessions":{"redis":{"addresses":["a:1"]}}}`, "must share accounts"},
		"app_local_keys":      {`"name":"a",` + console, `{"sessions":{"redis":{"addresses":["a:1"]}},` + accounts + `}`, "must share master keys"},
		"app_no_address":      {`"name":"a",` + console, `{"sessions":{"redis":{}},` + accounts + `}`, "give it an address"},
		"app_both":            {`"name":"a",` + console, `{"sessions":{"redis":{"addresses":["a:1"],"cluster":true,"sentinel":{"name":"m"}}},` + accounts + `}`, "exclude each other"},
		"app_group":           {`"name":"a",` + console, `{"sessions":{"redis":{"addresses":["a:1"],"sentinel":{}}},` + accounts + `}`, "name the group"},
		"app_secret":          {`"name":"a",` + console, `{"accounts":{"postgres":{"dsn":"host=a","password":"{file./nonsense}"}}}`, "password: "},
		"app_secret_sentinel": {`"name":"a",` + console, `{"sessions":{"redis":{"addresses":["a:1"],"sentinel":{"name":"m","password":"{env.STEPGATE_MISSING}"}}},` + accounts + `}`, "sentinel password: "},
		"app_ca":              {`"name":"a",` + console, `{"shared_storage":true,"sessions":{"redis":{"addresses":["a:1"],"tls":{"ca":"/nonsense"}}},` + accounts + `}`, "ca: "},
		"app_dsn":             {`"name":"a",` + console, `{"accounts":{"postgres":{"dsn":"host=a sslmode=nonsense"}}}`, "sslmode"},
		"app_dsn_file":        {`"name":"a",` + console, `{"accounts":{"postgres":{"dsn":"host=a sslmode=verify-full sslrootcert=/nonsense"}}}`, "/nonsense"},
		"app_dsn_env":         {`"name":"a",` + console, `{"accounts":{"postgres":{"dsn":"{env.STEPGATE_DSN}"}}}`, "a password in the DSN"},
		"app_mail":            {`"name":"a",` + console, `{"mail":{"address":"a:25"}}`, "mail: say who"},
		"app_mail_ca":         {`"name":"a",` + console, `{"mail":{"address":"a:25","from":"a@example.com","ca":"/nonsense"}}`, "ca: "},
		"app_mail_empty":      {`"name":"a",` + console, `{"mail":{"address":"a:25","from":"a@example.com","username":"a","password":"{file./nonsense}"}}`, "password: "},
		"app_mail_from":       {`"name":"a",` + console, `{"mail":{"address":"a:25","from":"{env.STEPGATE_DSN}"}}`, "from: "},
		"app_sms":             {`"name":"a",` + console, `{"sms":{}}`, "sms: say one provider"},
		"app_sms_two":         {`"name":"a",` + console, `{"sms":{"twilio":{},"aliyun":{}}}`, "sms: say one provider"},
		"app_sms_plain":       {`"name":"a",` + console, `{"sms":{"http":{"url":"http://a/","body":"{\"a\":\"{sms.number}{sms.text}\"}"}}}`, "not encrypted"},
		"app_sms_empty":       {`"name":"a",` + console, `{"sms":{"http":{"url":"https://a/","body":"{\"a\":\"{sms.number}{sms.text}\",\"b\":\"{env.STEPGATE_MISSING}\"}"}}}`, "body: "},
		"app_sms_host":        {`"name":"a",` + console, `{"sms":{"http":{"url":"http://{env.STEPGATE_NAME}/","body":"{\"a\":\"{sms.number}{sms.text}\"}"}}}`, "sms: "},
		"app_sms_timeout":     {`"name":"a",` + console, `{"sms":{"timeout":"5m","twilio":{"account":"AC1","token":"a","from":"a"}}}`, "timeout: "},
		"app_unknown":         {`"name":"a",` + console, `{"brand":"{evn.BRAND}"}`, "{evn.BRAND}"},
	} {
		t.Run(name, func(t *testing.T) {
			mustSay(t, refusedJSON(t, c.app, `{"handler":"stepgate",`+c.site+`}`), c.says)
		})
	}
	t.Run("twice", func(t *testing.T) {
		one, other := `{"handler":"stepgate","name":"a",`+console+`}`, `{"handler":"stepgate","name":"a","realm":"b",`+console+`}`
		mustSay(t, refusedJSON(t, `{}`, one+","+other), "stepgate a stands twice")
		if err := caddy.Validate(quiet(t, sites(`{}`, one+","+one))); err != nil {
			t.Errorf("the same site twice: %v", err)
		}
	})
}

func sites(app, handlers string) []byte {
	return []byte(`{"apps":{"stepgate":` + app + `,"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[{"handle":[` + handlers + `]}]}}}}}`)
}

func refusedJSON(t *testing.T, app, handlers string) string {
	t.Helper()
	err := caddy.Validate(quiet(t, sites(app, handlers)))
	if err == nil {
		t.Fatal("it was taken")
	}
	return err.Error()
}

// Point 10: placeholders stand for values, and never for parts of patterns.
func TestPlaceholders(t *testing.T) {
	etc := operatorFiles(t)
	t.Setenv("STEPGATE_NAME", "Example")
	a := &App{Brand: "The {env.STEPGATE_NAME}", Help: "{file." + etc + "/help.txt}", Keys: etc + "/{env.STEPGATE_NAME}"}
	if err := a.replace(); err != nil {
		t.Fatal(err)
	}
	if a.Brand != "The Example" || a.Help != "Call 4321." || a.Keys != etc+"/Example" {
		t.Errorf("replaced: %+q %+q %+q", a.Brand, a.Help, a.Keys)
	}
	config, err := adapt(`http://localhost:1 {
	stepgate a {
		first_factor console dokuwiki {
			subject cookie sid `+"`^([a-f]{32})$`"+`
		}
	}
}
`, "Caddyfile")
	if err != nil || !strings.Contains(string(config), "{32}") {
		t.Errorf("a pattern became %s (%v)", config, err)
	}
}

// Point 10: every option is documented where it is declared.
func TestOptionsDocumented(t *testing.T) {
	docs := make(map[string]string)
	for _, dir := range []string{".", "../firstfactor", "../match", "../notify"} {
		readDocs(t, dir, docs)
	}
	seen := make(map[reflect.Type]bool)
	for _, root := range []any{App{}, Handler{}} {
		mustBeDocumented(t, reflect.TypeOf(root), docs, seen)
	}
	if len(seen) < 9 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}

// readDocs collects the comments of struct fields, by package, type and name.
// One comment may name several fields that follow each other.
func readDocs(t *testing.T, dir string, docs map[string]string) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				fieldDocs(file.Name.Name+"."+spec.Name.Name, spec, docs)
			}
			return true
		})
	}
}

func fieldDocs(name string, spec *ast.TypeSpec, docs map[string]string) {
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	var doc string
	for _, field := range s.Fields.List {
		for _, ident := range field.Names {
			if field.Doc != nil {
				doc = field.Doc.Text()
			}
			if strings.Contains(doc, ident.Name) {
				docs[name+"."+ident.Name] = doc
			}
		}
	}
}

func mustBeDocumented(t *testing.T, typ reflect.Type, docs map[string]string, seen map[reflect.Type]bool) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		mustBeDocumented(t, typ.Elem(), docs, seen)
		return
	case reflect.Struct:
	default:
		return
	}
	if seen[typ] || !strings.HasPrefix(typ.PkgPath(), "github.com/stepgate/") {
		return
	}
	seen[typ] = true
	for i := range typ.NumField() {
		field := typ.Field(i)
		if !field.IsExported() || field.Tag.Get("json") == "-" {
			continue
		}
		if !field.Anonymous && (field.Tag.Get("json") == "" || docs[typ.String()+"."+field.Name] == "") {
			t.Errorf("%s.%s has no JSON name or no comment that begins with its name", typ, field.Name)
		}
		mustBeDocumented(t, field.Type, docs, seen)
	}
}

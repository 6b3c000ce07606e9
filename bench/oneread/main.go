// Command oneread is Caddy with a handler that asks Redis for the session of
// each request, as gateways do that keep sessions there and nothing near. It
// is a point to compare Stepgate with, and does nothing else that a gateway
// must: the cookie is taken as it comes.
package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/redis/go-redis/v9"
)

func main() {
	caddy.RegisterModule(new(reader))
	httpcaddyfile.RegisterHandlerDirective("one_read", parse)
	httpcaddyfile.RegisterDirectiveOrder("one_read", httpcaddyfile.Before, "reverse_proxy")
	caddycmd.Main()
}

// reader lets requests through whose session cookie is a key in Redis.
type reader struct {
	Address string `json:"address"`
	Cookie  string `json:"cookie"`

	client *redis.Client
}

// CaddyModule implements caddy.Module.
func (*reader) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.one_read", New: func() caddy.Module { return new(reader) }}
}

// Provision implements caddy.Provisioner.
func (h *reader) Provision(caddy.Context) error {
	h.client = redis.NewClient(&redis.Options{Addr: h.Address})
	return nil
}

// Cleanup implements caddy.CleanerUpper.
func (h *reader) Cleanup() error { return h.client.Close() }

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *reader) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ck, err := r.Cookie(h.Cookie)
	if err != nil {
		return caddyhttp.Error(http.StatusUnauthorized, err)
	}
	if err := h.client.Get(r.Context(), ck.Value).Err(); err != nil {
		return caddyhttp.Error(http.StatusUnauthorized, err)
	}
	return next.ServeHTTP(w, r)
}

// parse reads `one_read ADDRESS COOKIE`.
func parse(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	var r reader
	h.Next()
	if !h.Args(&r.Address, &r.Cookie) {
		return nil, h.ArgErr()
	}
	return &r, nil
}

var (
	_ caddy.Provisioner           = (*reader)(nil)
	_ caddy.CleanerUpper          = (*reader)(nil)
	_ caddyhttp.MiddlewareHandler = (*reader)(nil)
)

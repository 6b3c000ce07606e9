package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/stepgate/stepgate/caddymodule"
)

// What is `caddy stepgate keys` elsewhere is `stepgate keys` here.
func init() {
	for _, command := range caddymodule.Commands() {
		caddycmd.RegisterCommand(command)
	}
}

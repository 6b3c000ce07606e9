package caddymodule

import "errors"

func (a *App) openPostgres(s *stores) error { return errors.New("accounts postgres: not wired yet") }

package caddymodule

import "errors"

func (a *App) openRedis(s *stores) error { return errors.New("sessions redis: not wired yet") }

package caddymodule

import (
	"net/http"
	"sync/atomic"
)

// visits counts the requests that reach a console.
type visits struct {
	next  http.Handler
	count atomic.Int64
}

func (v *visits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.count.Add(1)
	v.next.ServeHTTP(w, r)
}

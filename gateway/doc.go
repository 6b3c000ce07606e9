// Package gateway answers one question for each request: may it pass? It
// reads the request in all its ways, removes what only Stepgate may say,
// finds the session, asks policy, and then forwards (with the console's
// session, or without), watches a login, or answers in the shape that the
// client can use.
//
// The way of a request is ServeHTTP, top to bottom; the way of a login is
// login.go; what is sent to the person afterwards is release.go.
package gateway

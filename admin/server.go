package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Server answers on a socket. It outlives the services that it asks: each
// configuration brings its own.
type Server struct {
	socket *socket
	http   *http.Server
	served sync.WaitGroup

	mu   sync.Mutex
	uses []*use // the last one counts that has a service
}

// use is one configuration's service, nil until its stores are there.
type use struct{ service func() *Service }

// Serve listens on a socket until Close.
func Serve(path string) (*Server, error) {
	socket, err := listen(path)
	if err != nil {
		return nil, err
	}
	s := &Server{socket: socket}
	s.http = &http.Server{Handler: http.HandlerFunc(s.answer), ConnContext: withPeer,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second}
	s.served.Go(func() { _ = s.http.Serve(socket) })
	return s, nil
}

// Close stops listening and removes the socket's file.
func (s *Server) Close() error {
	err := s.http.Close()
	s.served.Wait()
	return errors.Join(err, s.socket.remove())
}

// Use makes a service the one that counts as soon as it is there, until the
// next one is, or stop is called.
func (s *Server) Use(service func() *Service) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := &use{service}
	s.uses = append(s.uses, mine)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.uses = slices.DeleteFunc(s.uses, func(other *use) bool { return other == mine })
	}
}

func (s *Server) service() *Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range slices.Backward(s.uses) {
		if svc := u.service(); svc != nil {
			return svc
		}
	}
	return nil
}

var errNotReady = errors.New("the gateway's stores are not there yet: try again in a moment, and see its log")

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	from, _ := r.Context().Value(peerKey{}).(peer)
	svc := s.service()
	switch {
	case from.err != nil:
		refuse(w, http.StatusForbidden, from.err)
	case svc == nil:
		refuse(w, http.StatusServiceUnavailable, errNotReady)
	default:
		routes(svc, from.caller).ServeHTTP(w, r)
	}
}

// peer is who opened a connection, or why nobody may.
type peer struct {
	caller Caller
	err    error
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	caller, err := callerOf(c)
	return context.WithValue(ctx, peerKey{}, peer{caller, err})
}

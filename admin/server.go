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

// Server answers administrators. It outlives the services that it asks: each
// configuration brings its own.
type Server struct {
	http   *http.Server
	who    func(*http.Request) (Caller, error)
	remove func() error // what is left when it is closed
	served sync.WaitGroup

	mu   sync.Mutex
	uses []*Use // the last one counts that has a service
}

// Use is what one configuration brings.
type Use struct {
	Service      func() *Service // nil until its stores are there
	Certificates Certificates    // of a server over TLS
}

// Serve listens on a socket until Close.
func Serve(path string) (*Server, error) {
	socket, err := listen(path)
	if err != nil {
		return nil, err
	}
	s := newServer(peerOf, socket.remove)
	s.http.ConnContext = withPeer
	s.serve(socket)
	return s, nil
}

func newServer(who func(*http.Request) (Caller, error), remove func() error) *Server {
	s := &Server{who: who, remove: remove}
	s.http = &http.Server{Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		MaxHeaderBytes: 16 << 10}
	s.http.SetKeepAlivesEnabled(false) // whom a connection once let in need not be let in for ever
	return s
}

func (s *Server) serve(l net.Listener) { s.served.Go(func() { _ = s.http.Serve(l) }) }

// Close stops listening and removes what stands for it.
func (s *Server) Close() error {
	err := s.http.Close()
	s.served.Wait()
	return errors.Join(err, s.remove())
}

// Use makes a service the one that counts as soon as it is there, until the
// next one is, or stop is called.
func (s *Server) Use(u Use) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := &u
	s.uses = append(s.uses, mine)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.uses = slices.DeleteFunc(s.uses, func(other *Use) bool { return other == mine })
	}
}

// use is the one that counts: the newest, if none has a service.
func (s *Server) use() Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range slices.Backward(s.uses) {
		if u.Service() != nil {
			return *u
		}
	}
	if len(s.uses) == 0 {
		return Use{Service: func() *Service { return nil }}
	}
	return *s.uses[len(s.uses)-1]
}

var (
	errNotReady = errors.New("the gateway's stores are not there yet: try again in a moment, and see its log")
	errBrowser  = errors.New("this is for programs: no page of any site may ask for it")
)

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	by, err := s.who(r)
	svc := s.use().Service()
	switch {
	case err != nil:
		refuse(w, http.StatusForbidden, err)
	case fromBrowser(r):
		refuse(w, http.StatusForbidden, errBrowser)
	case svc == nil:
		refuse(w, http.StatusServiceUnavailable, errNotReady)
	default:
		handler(svc, by).ServeHTTP(w, r)
	}
}

// fromBrowser tells requests that a browser sends, perhaps with the
// certificate of an administrator who looks at somebody else's page: these
// headers no page can leave out (Fetch, section 3.2; Fetch Metadata).
func fromBrowser(r *http.Request) bool {
	return slices.ContainsFunc([]string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Referer"}, func(name string) bool {
		_, sent := r.Header[name]
		return sent
	})
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

func peerOf(r *http.Request) (Caller, error) {
	from, ok := r.Context().Value(peerKey{}).(peer)
	if !ok {
		return "", errors.New("nobody knows who asks")
	}
	return from.caller, from.err
}

//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"
)

// Desk is a console in this process that knows everybody with DeskPassword and remembers which request reached its
// protected page, when, and as whom.
type Desk struct {
	Addr string

	logins atomic.Int64
	mu     sync.Mutex
	visits map[string]Visit
}

// Visit is a request that reached the protected page.
type Visit struct {
	User string // "" is nobody
	At   time.Time
}

const (
	// DeskPassword is everybody's.
	DeskPassword = "secret"
	// DeskCookie is the console's session.
	DeskCookie = "console_session"
)

// DeskSite protects a desk: the lines of a site named desk.
const DeskSite = `	stepgate desk {
		public /healthz
		logout POST /logout
		first_factor console {
			login_page /login?next={return}
			login POST /login {
				username form user
				success status 303
				success set_cookie ` + DeskCookie + `
				failure status 401
			}
			subject probe /whoami /user
			session_cookie ` + DeskCookie + `
		}
	}
	reverse_proxy {{.Upstream}}
`

// StartDesk serves the console until the test ends.
func StartDesk(t testing.TB) *Desk {
	d := &Desk{visits: make(map[string]Visit)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", d.login)
	mux.HandleFunc("POST /logout", d.logout)
	mux.HandleFunc("/work", d.work)
	mux.HandleFunc("/whoami", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"user":%q}`, deskUser(r)) })
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	d.Addr = strings.TrimPrefix(server.URL, "http://")
	return d
}

// Console is the desk for StartGateway.
func (d *Desk) Console() *Console { return &Console{URL: "http://" + d.Addr, Addr: d.Addr} }

func (d *Desk) login(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("password") != DeskPassword {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	value := fmt.Sprintf("%s-%d", r.FormValue("user"), d.logins.Add(1))
	http.SetCookie(w, &http.Cookie{Name: DeskCookie, Value: value, Path: "/", HttpOnly: true})
	w.Header().Set("Location", "/work")
	w.WriteHeader(http.StatusSeeOther)
}

func (d *Desk) logout(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: DeskCookie, Path: "/", MaxAge: -1})
	w.Header().Set("Location", "/login")
	w.WriteHeader(http.StatusSeeOther)
}

func (d *Desk) work(w http.ResponseWriter, r *http.Request) {
	user := deskUser(r)
	d.mu.Lock()
	d.visits[r.FormValue("id")] = Visit{user, time.Now()}
	d.mu.Unlock()
	fmt.Fprintf(w, "the work of %s", user)
}

func deskUser(r *http.Request) string {
	ck, err := r.Cookie(DeskCookie)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(ck.Value, "-")
	return name
}

// Visits are those so far, by the id of the request.
func (d *Desk) Visits() map[string]Visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.visits)
}

// Reply is what a client of the load got.
type Reply struct {
	Status int
	Header http.Header
	Text   string
	Took   time.Duration
}

// loadClient sends the load's requests: it keeps connections, follows no redirect and no cookie.
var loadClient = http.Client{
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask sends one request, with a form if it has one, as a page load or as a script's call.
func ask(method, address, cookies string, form url.Values, navigates bool) (Reply, error) {
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Reply{}, err
	}
	r.Header.Set("Cookie", cookies)
	r.Header.Set("Sec-Fetch-Mode", map[bool]string{true: "navigate", false: "cors"}[navigates])
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := time.Now()
	res, err := loadClient.Do(r)
	if err != nil {
		return Reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return Reply{res.StatusCode, res.Header, string(body), time.Since(began)}, err
}

// Tally counts a load's answers by the kind of request.
type Tally struct {
	mu      sync.Mutex
	answers map[string]map[string]int
	slowest map[string]time.Duration
	total   int
}

// Reset forgets all that was counted.
func (c *Tally) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers, c.slowest, c.total = nil, nil, 0
}

// Add counts one answer, or that there was none.
func (c *Tally) Add(kind string, r Reply, err error) {
	answer := fmt.Sprint(r.Status)
	if err != nil {
		answer = "none"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers, c.slowest = make(map[string]map[string]int), make(map[string]time.Duration)
	}
	if c.answers[kind] == nil {
		c.answers[kind] = make(map[string]int)
	}
	c.answers[kind][answer]++
	c.slowest[kind] = max(c.slowest[kind], r.Took)
	c.total++
}

// Total is how many were counted.
func (c *Tally) Total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// Count is how many requests of a kind were answered so.
func (c *Tally) Count(kind, answer string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers[kind][answer]
}

// Slowest is how long the slowest answer of all took.
func (c *Tally) Slowest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Max(append(slices.Collect(maps.Values(c.slowest)), 0))
}

// String is a table of it.
func (c *Tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d requests\tslowest\tanswers\n", c.total)
	for _, kind := range slices.Sorted(maps.Keys(c.answers)) {
		fmt.Fprintf(w, "%s\t%v\t", kind, c.slowest[kind].Round(time.Millisecond))
		for _, answer := range slices.Sorted(maps.Keys(c.answers[kind])) {
			fmt.Fprintf(w, "%s × %d  ", answer, c.answers[kind][answer])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return text.String()
}

// Work runs so many workers, each of which does one piece after the other until stop is closed or says so.
func Work(workers int, over <-chan struct{}, do func(worker, n int)) *sync.WaitGroup {
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
					do(worker, n)
				}
			}
		})
	}
	return &all
}

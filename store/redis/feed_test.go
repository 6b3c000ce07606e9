package redis

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/sessions"
)

func TestEntries(t *testing.T) {
	var a, b sessions.ID
	copy(a[:], strings.Repeat("|", len(a)))
	copy(b[:], "b")
	for message, want := range map[string]sessions.Entry{
		"0|ABC-12|7|0|" + string(a[:]) + string(b[:]): {Log: "ABC-12", Number: 7, Ended: []sessions.ID{a, b}},
		"15|ABC-12|0|18446744073709551615|":           {Line: 15, Log: "ABC-12", Mark: 1<<64 - 1},
	} {
		if got, err := decodeEntry(message, 16); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v\ngot  %+v\nwant %+v", message, err, got, want)
		}
	}
	for _, message := range []string{
		"", "0|a|1|0", "16|a|1|0|", "-1|a|1|0|", "x|a|1|0|", "0|a|-1|0|", "0|a|1|x|", "0|a|1|0|short", "0|a|1|0|" + string(a[:]) + "x",
	} {
		if got, err := decodeEntry(message, 16); err == nil {
			t.Errorf("%q was read as %+v", message, got)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no address":       {},
		"two servers":      {Addrs: []string{"a:1", "b:1"}},
		"both":             {Addrs: []string{"a:1"}, Sentinel: "m", Cluster: true},
		"cluster's db":     {Addrs: []string{"a:1"}, Cluster: true, DB: 1},
		"braces":           {Addrs: []string{"a:1"}, Prefix: "a{b}"},
		"space":            {Addrs: []string{"a:1"}, Prefix: "a b"},
		"not of ASCII":     {Addrs: []string{"a:1"}, Prefix: "ä"},
		"a negative db":    {Addrs: []string{"a:1"}, DB: -1},
		"Sentinels' names": {Addrs: []string{"a:1"}, SentinelPassword: "x"},
	} {
		if s, err := Open(o); err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
		}
	}
}

// TestChannelsOfDatabases: Redis's channels do not know of databases, and an ACL is for what begins with the prefix.
func TestChannelsOfDatabases(t *testing.T) {
	seen := map[string]int{}
	for _, o := range []Options{{DB: 0}, {DB: 1}, {DB: 11}, {DB: 1, Prefix: "stepgate:1"}} {
		o.Addrs = []string{"a:1"}
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, channel := range []string{s.keys.endings(), s.keys.beats("node")} {
			seen[channel]++
			if seen[channel] > 1 || !strings.HasPrefix(channel, "stepgate") {
				t.Errorf("%+v: %s is another's, or an ACL would forbid it", o, channel)
			}
		}
		_ = s.Close()
	}
}

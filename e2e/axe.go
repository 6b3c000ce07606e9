//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// Violation is a rule of axe-core that the page breaks, and where.
type Violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// String says what is wrong in a way that a failing test can print.
func (v Violation) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, node := range v.Nodes {
		fmt.Fprintf(&s, "\n\t%s\n\t%s", node.HTML, node.Summary)
	}
	return s.String()
}

var axeCore = sync.OnceValues(func() (string, error) {
	path, err := script("axe.sh")
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	return string(source), err
})

// Axe lets axe-core judge the page as it stands now and returns what it finds.
func (b *Browser) Axe() []Violation {
	b.t.Helper()
	source, err := axeCore()
	if err != nil {
		b.t.Fatal(err)
	}
	Eval[bool](b, "(() => {"+source+"\n})(); true")
	return Eval[[]Violation](b, `axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations)`)
}

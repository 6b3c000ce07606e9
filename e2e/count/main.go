//go:build e2e

// Command count reads what `go test -json` writes, shows progress and whatever failed, and appends "PASSED FAILED" to
// the file it is given. It fails if anything failed, or was skipped: a test that does not run proves nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// counter adds events up. What a test prints is kept until it is known whether anybody has to read it.
type counter struct {
	passed, failed int
	failedIn       map[string]bool // packages with a failed test
	said           map[string]*strings.Builder
}

func main() {
	c := counter{failedIn: map[string]bool{}, said: map[string]*strings.Builder{}}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		c.line(line)
		if err != nil {
			break
		}
	}
	if err := c.append(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if c.failed > 0 {
		os.Exit(1)
	}
}

// line takes an event, or shows what is none: go itself speaks plainly.
func (c *counter) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		os.Stdout.Write(line)
		return
	}
	switch e.Action {
	case "output":
		c.output(e)
	case "build-output":
		fmt.Print(e.Output)
	case "pass", "fail", "skip":
		c.result(e)
	}
}

func (c *counter) output(e event) {
	key := e.Package + " " + e.Test
	if c.said[key] == nil {
		c.said[key] = new(strings.Builder)
	}
	c.said[key].WriteString(e.Output)
}

func (c *counter) result(e event) {
	key := e.Package + " " + e.Test
	if e.Test == "" {
		c.ended(e, key)
	} else {
		c.test(e, key)
	}
	delete(c.said, key)
}

func (c *counter) test(e event, key string) {
	if e.Action == "pass" {
		c.passed++
	} else {
		c.failed++
		c.failedIn[e.Package] = true
		fmt.Printf("%s %s %s\n%s", strings.ToUpper(e.Action), e.Package, e.Test, c.said[key])
	}
	if e.Action == "pass" && e.Elapsed >= 1 && !strings.Contains(e.Test, "/") {
		fmt.Printf("     %s (%.1fs)\n", e.Test, e.Elapsed)
	}
}

// ended shows the end of a package. One that fails without a failed test did not build, panicked or took too long.
func (c *counter) ended(e event, key string) {
	switch {
	case e.Action == "pass":
		fmt.Printf("ok   %s (%.1fs)\n", e.Package, e.Elapsed)
	case e.Action == "fail":
		fmt.Printf("FAIL %s\n", e.Package)
		if said := c.said[key]; said != nil {
			fmt.Print(said)
		}
		c.unfinished(e.Package)
		if !c.failedIn[e.Package] {
			c.failed++
		}
	}
}

// unfinished shows what the tests said that a panic or the time limit cut off.
func (c *counter) unfinished(pkg string) {
	for key, said := range c.said {
		if strings.HasPrefix(key, pkg+" ") && key != pkg+" " {
			fmt.Printf("--- %s\n%s", key, said)
		}
	}
}

func (c *counter) append(name string) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	fmt.Fprintln(file, c.passed, c.failed)
	return file.Close()
}

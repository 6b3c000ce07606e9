//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHarnessLeavesNothing kills a test program that runs a console, as a time limit or a machine's owner would, and
// looks for what it started.
func TestHarnessLeavesNothing(t *testing.T) {
	if note := os.Getenv("E2E_HOLD"); note != "" {
		StartDokuWiki(t)
		os.WriteFile(note, nil, 0o644)
		select {}
	}
	note := filepath.Join(t.TempDir(), "runs")
	holder := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	holder.Env = append(os.Environ(), "E2E_HOLD="+note)
	p := start(t, "a test program", holder)
	p.wait(t, time.Minute, func() bool {
		_, err := os.Stat(note)
		return err == nil
	})
	prelude := fmt.Sprintf("/srv/%d-", holder.Process.Pid)
	if len(running(prelude)) == 0 {
		t.Fatal("there is no console to be left over")
	}
	holder.Process.Kill()
	<-p.done
	for deadline := time.Now().Add(5 * time.Second); len(running(prelude)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still running: %v", running(prelude))
		}
	}
}

// running are the command lines of processes that name a folder.
func running(folder string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file)
		if strings.Contains(string(line), folder) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

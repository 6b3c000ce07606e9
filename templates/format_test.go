package templates

import (
	"fmt"
	"image/color"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
)

func TestSpanRoundsUp(t *testing.T) {
	en, zh := newSet(t, "").languages[0], newSet(t, "").languages[1]
	for _, c := range []struct {
		d      time.Duration
		en, zh string
	}{
		{-time.Second, "1 second", "1 秒"},
		{30 * time.Second, "30 seconds", "30 秒"},
		{time.Minute, "1 minute", "1 分钟"},
		{61 * time.Second, "2 minutes", "2 分钟"},
		{91 * time.Minute, "2 hours", "2 小时"},
		{35 * time.Hour, "35 hours", "35 小时"},
		{49 * time.Hour, "3 days", "3 天"},
	} {
		if got, err := en.span(c.d); err != nil || string(got) != c.en {
			t.Errorf("%v: %q %v, want %q", c.d, got, err, c.en)
		}
		if got, err := zh.span(c.d); err != nil || string(got) != c.zh {
			t.Errorf("%v: %q %v, want %q", c.d, got, err, c.zh)
		}
	}
}

func TestMomentIsNeverTooEarly(t *testing.T) {
	en := newSet(t, "").languages[0]
	at := time.Date(2026, 12, 31, 23, 59, 1, 0, time.UTC)
	if got := string(en.moment(at)); !strings.Contains(got, "1 January 2027, 00:00 UTC") {
		t.Error(got)
	}
	if got := string(en.moment(at.Truncate(time.Minute))); !strings.Contains(got, "31 December 2026, 23:59 UTC") {
		t.Error(got)
	}
}

// Following the strokes has to give the very modules of the code.
func TestStrokesDrawTheCode(t *testing.T) {
	code, err := qr.Encode("otpauth://totp/Example:lin.wei?secret=JBSWY3DPEHPK3PXP", qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool { return code.At(x, y) == color.Black }
	drawn := follow(t, strokes(size, dark))
	count := 0
	for y := range size {
		for x := range size {
			if dark(x, y) != drawn[[2]int{x + quiet, y + quiet}] {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
			if dark(x, y) {
				count++
			}
		}
	}
	if count == 0 || count != len(drawn) {
		t.Errorf("%d modules are dark, %d drawn", count, len(drawn))
	}
}

// follow paints a path of M, m and h commands.
func follow(t *testing.T, path string) map[[2]int]bool {
	t.Helper()
	painted := map[[2]int]bool{}
	r := strings.NewReader(path)
	var x, y, n, zero int
	for r.Len() > 0 {
		command, _ := r.ReadByte()
		var err error
		switch command {
		case 'M':
			_, err = fmt.Fscanf(r, "%d %d.5", &x, &y)
		case 'm':
			_, err = fmt.Fscanf(r, "%d %d", &n, &zero)
			x += n
		case 'h':
			_, err = fmt.Fscanf(r, "%d", &n)
			for range n {
				painted[[2]int{x, y}] = true
				x++
			}
		default:
			t.Fatalf("command %q", command)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return painted
}

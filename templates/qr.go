package templates

import (
	"fmt"
	"html/template"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the empty margin in modules that readers of QR codes rely on.
const quiet = 4

// qrCode draws content as a QR code: one path in an SVG of its own colors, for
// a light code on dark paper is beyond many cameras. label is read out instead.
func qrCode(content string, label template.HTML) (template.HTML, error) {
	code, err := qr.Encode(content, correction(content), qr.Auto)
	if err != nil {
		return "", err
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool { return code.At(x, y) == color.Black }
	return template.HTML(fmt.Sprintf(
		`<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %[2]d %[2]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[2]dv%[2]dH0z"/><path stroke="#000" d="%[3]s"/></svg>`,
		label, size+2*quiet, strokes(size, dark))), nil
}

// correction keeps the code of a long name coarse enough for a camera.
func correction(content string) qr.ErrorCorrectionLevel {
	if len(content) > 200 {
		return qr.L
	}
	return qr.M
}

// strokes draws every run of dark modules as a line one module thick.
func strokes(size int, dark func(x, y int) bool) string {
	var b strings.Builder
	for y := range size {
		end := -1 // where the last run of this row ended
		for x := 0; x < size; x++ {
			if !dark(x, y) {
				continue
			}
			if end < 0 {
				fmt.Fprintf(&b, "M%d %d.5", x+quiet, y+quiet)
			} else {
				fmt.Fprintf(&b, "m%d 0", x-end)
			}
			start := x
			for x < size && dark(x, y) {
				x++
			}
			fmt.Fprintf(&b, "h%d", x-start)
			end = x
		}
	}
	return b.String()
}

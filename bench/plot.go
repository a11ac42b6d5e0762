package main

import (
	"fmt"
	"math"
	"strings"
)

// A plot has two panels, each with both axes by powers of ten.
const (
	panelWidth, panelHeight = 360, 260
	marginLeft, marginTop   = 60, 40
	marginBottom            = 50
)

var colours = []string{"#1f6feb", "#d1242f", "#1a7f37", "#8250df"}

// plot draws how the time grows with files and with bytes.
func plot(files, sizes []point) string {
	var b strings.Builder
	width := 2*(panelWidth+marginLeft) + 30
	height := panelHeight + marginTop + marginBottom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	panel(&b, marginLeft, "files of 1,000 bytes", files)
	panel(&b, panelWidth+2*marginLeft+10, "bytes", sizes)
	b.WriteString("</svg>\n")
	return b.String()
}

// scale maps a value to a place by its logarithm.
type scale struct{ low, high, from, to float64 }

func (s scale) at(v float64) float64 {
	return s.from + (math.Log10(v)-s.low)/(s.high-s.low)*(s.to-s.from)
}

// around gives the powers of ten that enclose all values.
func around(values []float64, from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, math.Floor(math.Log10(v))), max(high, math.Ceil(math.Log10(v)))
	}
	if low == high {
		high++
	}
	return scale{low, high, from, to}
}

func panel(b *strings.Builder, left float64, title string, row []point) {
	if len(row) == 0 {
		return
	}
	var xs, ys []float64
	for _, p := range row {
		xs = append(xs, p.x)
		for _, r := range p.results {
			ys = append(ys, r.median().Seconds())
		}
	}
	x := around(xs, left, left+panelWidth)
	y := around(ys, marginTop+panelHeight, marginTop)
	fmt.Fprintf(b, `<text x="%.0f" y="20">seconds by %s</text>`+"\n", left, title)
	for power := x.low; power <= x.high; power++ {
		at := x.at(math.Pow(10, power))
		fmt.Fprintf(b, `<line x1="%.0f" x2="%.0f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.0f" y="%d" text-anchor="middle">1e%.0f</text>`+"\n",
			at, at, marginTop, marginTop+panelHeight, at, marginTop+panelHeight+18, power)
	}
	for power := y.low; power <= y.high; power++ {
		at := y.at(math.Pow(10, power))
		fmt.Fprintf(b, `<line x1="%.0f" x2="%.0f" y1="%.0f" y2="%.0f" stroke="#ddd"/><text x="%.0f" y="%.0f" text-anchor="end">%g</text>`+"\n",
			left, left+panelWidth, at, at, left-6, at+4, math.Pow(10, power))
	}
	for i := range row[0].results {
		var line []string
		for _, p := range row {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.results[i].median().Seconds())))
		}
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", colour, strings.Join(line, " "))
		fmt.Fprintf(b, `<text x="%.0f" y="%d" fill="%s">%s</text>`+"\n", left+10, marginTop+16+16*i, colour, row[0].results[i].way.name)
	}
}

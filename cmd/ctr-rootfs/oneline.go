package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A message is cut to what a person reads: images have names of a MiB. Its end
// is kept, where the reason stands and what to do.
const (
	maxLine = 1500
	lineEnd = 500
)

// oneLine keeps a message on one line: joined errors stand on a line each. What
// it quotes of an image or a registry is not to command the terminal.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	var line strings.Builder
	for i, r := range text {
		_, width := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&line, `\x%02x`, text[i])
		case unicode.IsControl(r) && r != '\t':
			fmt.Fprintf(&line, `\x%02x`, r)
		default:
			line.WriteRune(r)
		}
	}
	if line.Len() <= maxLine {
		return line.String()
	}
	whole := line.String()
	return strings.ToValidUTF8(whole[:maxLine-lineEnd], "") + " ... " + strings.ToValidUTF8(whole[len(whole)-lineEnd:], "")
}

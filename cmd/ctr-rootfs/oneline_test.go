package main

import (
	"strings"
	"testing"
)

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"reading \"ä\": no":    "reading \"ä\": no",
		"a\nb\r\nc\n":          "a; b; c",
		"\x1b]0;x\a\x85\u0085": `\x1b]0;x\x07\x85\x85`,
		"a\tb":                 "a\tb",
		strings.Repeat("é", 2000) + ": why: do this": strings.Repeat("é", 500) + " ... " + strings.Repeat("é", 243) + ": why: do this",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("oneLine(%.40q) = %q, want %q", text, got, want)
		}
	}
}

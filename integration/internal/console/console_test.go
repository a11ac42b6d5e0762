package console_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/console"
)

func TestParse(t *testing.T) {
	page := strings.Join([]string{
		"# Page",
		"```console", "$ one \\", "  two", "first", "...", "$ cat <<end", "> text", "> end", "```",
		"<!-- not run: no cluster -->", "", "```console", "$ kubectl get pods", "```",
		"<!-- exit status: 3 -->", "```console", "$ true", "$ fails", "```",
		"```json", "{}", "```",
	}, "\n")
	want := []console.Command{
		{Line: 3, Text: "one \\\n  two", Output: "first\n...\n"},
		{Line: 7, Text: "cat <<end\ntext\nend"},
		{Line: 14, Text: "kubectl get pods", NotRun: "no cluster"},
		{Line: 18, Text: "true"},
		{Line: 19, Text: "fails", Status: 3},
	}
	got, err := console.Parse(page)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Parse = %+v, %v\nwant %+v", got, err, want)
	}
}

// TestParseRefuses has the blocks whose commands no test would run.
func TestParseRefuses(t *testing.T) {
	for _, page := range []string{
		"```sh\nls\n```", "```\n$ ls\n```", "```\n# ctr-rootfs ls a\n```", "```console\nls\n```", "```console\n$ ls\n",
	} {
		if got, err := console.Parse(page); err == nil {
			t.Errorf("Parse(%q) = %+v and no error", page, got)
		}
	}
}

func TestPrints(t *testing.T) {
	for _, c := range []struct {
		says, got string
		want      bool
	}{
		{"", "anything\n", true},
		{"a\nb\n", "a\nb\n", true},
		{"a\nb\n", "a\nb\nc\n", false},
		{"a\n...\nc\n", "a\nc\n", true},
		{"a\n...\nc\n", "a\nb\nb\nc\n", true},
		{"a\n...\nc\n", "a\nb\n", false},
		{"wrote ... entries (1.0 MB)\n", "wrote 12 entries (1.0 MB)\n", true},
		{"wrote ... entries (1.0 MB)\n", "wrote 12 entries (1x0 MB)\n", false},
	} {
		if got := (console.Command{Output: c.says}).Prints(c.got); got != c.want {
			t.Errorf("%q for %q: %v, want %v", c.says, c.got, got, c.want)
		}
	}
}

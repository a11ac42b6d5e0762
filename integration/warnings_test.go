package integration_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestWarningsAreTold: what may not be as the user expects is shown whatever
// --progress is, once, and for a program in a form of its own.
func TestWarningsAreTold(t *testing.T) {
	needsRoot(t)
	source := "oci-archive:" + writeArchive(t, "", imageOf(ispec.ImageConfig{Env: []string{"ALONE"}}, imagetest.Layer{
		imagetest.File("probe", 0o755, ""), imagetest.Symlink("bin", "usr/bin"), imagetest.Symlink("conf", "etc"),
		imagetest.Dir("usr", 0o755), imagetest.Dir("usr/bin", 0o755), imagetest.File("usr/bin/sh", 0o755, ""),
		imagetest.Dir("etc", 0o755), imagetest.File("etc/hosts", 0o644, ""),
	}))
	const symlink = ": it leads through a symlink: give "
	pattern := `the pattern "bin/sh" matched nothing` + symlink + `"usr/bin/sh"`
	keep := `--keep "conf/hosts" changes nothing: the profile neither leaves that out nor replaces it` + symlink + `"etc/hosts"`
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"export", "--include", "bin/sh"}, []string{pattern}},
		{[]string{"export", "--include", "usr/bin/sh"}, nil},
		{[]string{"export", "--exclude", "bin/sh"}, []string{pattern}},
		{[]string{"export", "--keep", "conf/hosts", "--exclude", "none"}, []string{`the pattern "none" matched nothing`, keep}},
		{[]string{"export", "--keep", "etc/hosts"}, nil},
		{[]string{"ls", "--include", "bin/sh", "--include", "probe"}, []string{pattern}},
		{[]string{"bundle", "--exclude", "bin/sh"}, []string{`left out of config.json: Env "ALONE": it has no "="`, pattern}},
		{[]string{"spec"}, []string{`left out of config.json: Env "ALONE": it has no "="`}},
	} {
		for _, mode := range []string{"quiet", "plain", "json"} {
			o := ctrRootfs(t, append(c.args, "--progress", mode, source)...)
			var got []string
			for line := range strings.Lines(o.stderr) {
				if text := warningIn(t, mode, line); text != "" {
					got = append(got, text)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s --progress %s warns %q, want %q", c.args, mode, got, c.want)
			}
		}
	}
}

// warningIn is the text of a warning, empty for another line of a mode. Under
// quiet there is no other; plain lines are known by their words.
func warningIn(t *testing.T, mode, line string) string {
	t.Helper()
	text := strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "ctr-rootfs: ")
	if mode == "json" {
		var l stageLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("stderr has %q: %v", line, err)
		}
		if text = l.Message; l.Level != "warning" {
			text = ""
		}
	}
	if mode == "plain" && strings.HasPrefix(text, "wrote ") {
		return ""
	}
	return text
}

package integration_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// TestVersion has make build the binary in the repository and outside of any, and
// asks it what it is.
func TestVersion(t *testing.T) {
	root, err := tools.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", root}, args...)...).Output()
		if err != nil {
			t.Skipf("SKIPPED: git %q: %v: the source is no repository", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	for name, c := range map[string]struct{ env, version, commit string }{
		"a repository": {"LC_ALL=C", git("describe", "--tags", "--always", "--dirty"), git("rev-parse", "HEAD")},
		"no git":       {"GIT_DIR=/no/such", "(devel)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "ctr-rootfs")
			build := exec.Command("make", "-C", filepath.Dir(root), "build", "BIN="+program)
			build.Env = append(os.Environ(), c.env)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("make build: %v\n%s", err, out)
			}
			var got struct{ Name, Version, Commit, Go, Platform string }
			if err := json.Unmarshal([]byte(command(t, nil, program, "version", "--json")), &got); err != nil {
				t.Fatal(err)
			}
			if got.Name != "ctr-rootfs" || got.Version != c.version || got.Commit != c.commit || got.Go != runtime.Version() || got.Platform != runtime.GOOS+"/"+runtime.GOARCH {
				t.Errorf("it says %+v, want version %q of commit %q", got, c.version, c.commit)
			}
			if line := command(t, nil, program, "version"); !strings.HasPrefix(line, "ctr-rootfs "+c.version+" go") {
				t.Errorf("it says %q", line)
			}
		})
	}
}

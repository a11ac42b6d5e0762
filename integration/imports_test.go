package integration_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

const module = "github.com/ctr-rootfs/ctr-rootfs/"

// TestImports holds the rooms apart: which package may import what, itself,
// and what may reach it through others.
func TestImports(t *testing.T) {
	const containerd = "github.com/containerd/containerd/"
	forbidden := map[string][]string{
		"cmd/ctr-rootfs": {containerd, "golang.org/x/sys/unix/", "github.com/moby/sys/mount"},
		"pkg/export":     {containerd, module, "google.golang.org/grpc"},
		"pkg/ocispec":    {containerd, module, "os", "os/exec", "path/filepath", "net", "syscall", "golang.org/x/sys/unix"},
		"pkg/snapshot":   {module + "pkg/export", module + "pkg/ocispec", module + "pkg/layers"},
		"pkg/layers":     {module + "pkg/snapshot", module + "pkg/ocispec", containerd + "v2/client", "google.golang.org/grpc"},
	}
	for pkg, imports := range imported(t) {
		for _, path := range imports {
			for _, no := range forbidden[pkg] {
				if path == no || strings.HasSuffix(no, "/") && strings.HasPrefix(path, no) {
					t.Errorf("%s imports %q, see ARCHITECTURE.md", pkg, path)
				}
			}
		}
	}
}

// imported gives the direct imports of each package of the project, by its
// folder.
func imported(t *testing.T) map[string][]string {
	t.Helper()
	root, err := tools.Root(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = filepath.Dir(root)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	return all
}

package integration_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

const module = "github.com/ctr-rootfs/ctr-rootfs"

// TestImports holds the rooms apart: what a package may not import, nor anything
// below that.
func TestImports(t *testing.T) {
	const containerd, grpc = "github.com/containerd", "google.golang.org/grpc"
	const client = containerd + "/containerd/v2/client"
	const below = module + "/pkg/snapshot/internal/"
	all := imported(t)
	for pkg, forbidden := range map[string][]string{
		"cmd/ctr-rootfs": {containerd, grpc, "github.com/moby/sys"},
		"pkg/export":     {containerd, grpc, module},
		"pkg/ocispec":    {containerd, grpc, module, "os", "path/filepath", "net", "syscall", "golang.org/x/sys"},
		"pkg/snapshot":   {module + "/pkg/export", module + "/pkg/ocispec", module + "/pkg/layers"},
		"pkg/layers":     {containerd, grpc, module + "/pkg/snapshot", module + "/pkg/ocispec"},

		"internal/erofs":       {containerd, grpc, module},
		"internal/hostfile":    {containerd, grpc, module},
		"internal/inflate":     {containerd, grpc, module},
		"internal/layertype":   {containerd, grpc, module},
		"internal/randomimage": {containerd, grpc, module},
		"internal/spoolfile":   {containerd, grpc, module},

		"pkg/snapshot/internal/archive":     {client, grpc, module + "/pkg/export", module + "/pkg/layers", module + "/pkg/ocispec"},
		"pkg/snapshot/internal/document":    {client, grpc, module + "/pkg/export", module + "/pkg/layers", module + "/pkg/ocispec", below + "archive", below + "registry", below + "rootfs", "os", "net"},
		"pkg/snapshot/internal/imageconfig": {containerd, grpc, module},
		"pkg/snapshot/internal/registry":    {client, grpc, module + "/pkg/export", module + "/pkg/layers", module + "/pkg/ocispec", module + "/internal", below + "archive", below + "rootfs"},
		"pkg/snapshot/internal/rootfs":      {client, grpc, module},
	} {
		if len(all[pkg]) == 0 {
			t.Errorf("there is no package %q any more", pkg)
		}
		for _, path := range all[pkg] {
			for _, no := range forbidden {
				if path == no || strings.HasPrefix(path, no+"/") {
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
		all[strings.TrimPrefix(fields[0], module+"/")] = fields[1:]
	}
	return all
}

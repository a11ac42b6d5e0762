package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// programs are what every test of this package drives.
var programs struct {
	// ctrRootfs is the built binary: CTR_ROOTFS_BIN, or one built here, with
	// the race detector where RACE is set.
	ctrRootfs string
	// hello is a static program for images.
	hello string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ctr-rootfs-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := 1
	if err := buildPrograms(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		status = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func buildPrograms(dir string) error {
	root, err := tools.Root(context.Background())
	if err != nil {
		return err
	}
	programs.hello = filepath.Join(dir, "hello")
	if err := build(root, programs.hello, "./demo/hello", "CGO_ENABLED=0"); err != nil {
		return err
	}
	if programs.ctrRootfs = os.Getenv("CTR_ROOTFS_BIN"); programs.ctrRootfs != "" {
		return nil
	}
	programs.ctrRootfs = filepath.Join(dir, "ctr-rootfs")
	return build(filepath.Dir(root), programs.ctrRootfs, "./cmd/ctr-rootfs")
}

func build(dir, output, pkg string, env ...string) error {
	args := []string{"build", "-buildvcs=false", "-o", output}
	if os.Getenv("RACE") != "" && len(env) == 0 {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

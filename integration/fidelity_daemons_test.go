package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// oldDaemon is containerd 1.6.20: Debian 12's own where this is one, else the
// same version built from its source.
func oldDaemon(t *testing.T) daemon.Options {
	t.Helper()
	out, err := exec.Command("apt-cache", "policy", "containerd").Output()
	if err != nil || !strings.Contains(string(out), "Candidate: 1.6.20") {
		return daemon.Options{Tool: "containerd-1.6"}
	}
	return daemon.Options{Bin: debianContainerd(t)}
}

// debianContainerd is the folder of Debian 12's containerd, taken out of its
// package: installed, it would start a daemon of its own, and its shim would
// stand in the way of newer daemons.
func debianContainerd(t *testing.T) string {
	t.Helper()
	dir := cached(t, "debian-containerd-1.6", func(path string) *exec.Cmd {
		return exec.Command("sh", "-ec", `mkdir "$0"; chmod 0755 "$0"; cd "$0"
			apt-get -q download containerd; dpkg-deb -x ./*.deb .; rm ./*.deb`, path)
	})
	return filepath.Join(dir, "usr", "bin")
}

// blockfileConfig has the blockfile snapshotter copy a filesystem that is made
// here: small, since each snapshot copies it, with room for many names, and
// with blocks that hold a symlink's target of 4,000 bytes.
func blockfileConfig(t *testing.T, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		return ""
	}
	scratch := filepath.Join(dir, "scratch.ext4")
	makeFile(t, scratch, 64<<20)
	command(t, nil, "mkfs.ext4", "-q", "-b", "4096", "-O", "^has_journal", "-N", "40000", scratch)
	return `
[plugins."io.containerd.snapshotter.v1.blockfile"]
scratch_file = "` + scratch + `"
fs_type = "ext4"
`
}

// mountBtrfs gives the btrfs snapshotter of the daemon in dir a filesystem of
// its kind, without which it is not loaded.
func mountBtrfs(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("mkfs.btrfs"); err != nil {
		return
	}
	image, target := filepath.Join(dir, "btrfs.img"), filepath.Join(dir, "root", "io.containerd.snapshotter.v1.btrfs")
	makeFile(t, image, 512<<20)
	command(t, nil, "mkfs.btrfs", "-q", image)
	if err := os.MkdirAll(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, target).CombinedOutput(); err != nil {
		t.Logf("this kernel mounts no btrfs: %v: %s", err, out)
		return
	}
	t.Cleanup(func() { command(t, nil, "umount", target) })
}

// makeFile makes a file of holes.
func makeFile(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// startWithSnapshotters starts containerd 2 with every snapshotter that this
// machine can have.
func startWithSnapshotters(t *testing.T) *daemon.Daemon {
	t.Helper()
	needsRoot(t)
	dir := daemon.NewDir(t)
	mountBtrfs(t, dir)
	return daemon.Start(t, daemon.Options{Dir: dir, Config: blockfileConfig(t, dir)})
}

// needsSnapshotter skips a test loudly where the daemon has it not.
func needsSnapshotter(t *testing.T, d *daemon.Daemon, name string) {
	t.Helper()
	for line := range strings.Lines(d.Ctr(t, "plugins", "list")) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "io.containerd.snapshotter.v1" && fields[1] == name && fields[len(fields)-1] == "ok" {
			return
		}
	}
	t.Skipf("SKIPPED: the daemon cannot have the snapshotter %s here: integration/install-deps, and a kernel with %s", name, name)
}

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMain runs the tests again as the first process of namespaces of their
// own: with it end all that it started, and all that was mounted.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Println("SKIPPED: needs root: starts a Kubernetes (sudo make test-kubernetes)")
		return
	}
	if os.Getpid() == 1 {
		if err := becomeNode(); err != nil {
			fmt.Fprintln(os.Stderr, "becoming a node:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", self}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// becomeNode puts empty folders where a node keeps its state, and lets mounts
// propagate as systemd does.
func becomeNode() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	for _, dir := range []string{"/run", "/var/lib", "/var/log"} {
		if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mounting over %q: %w", dir, err)
		}
		if err := syscall.Mount("", dir, "", syscall.MS_SHARED, ""); err != nil {
			return fmt.Errorf("sharing %q: %w", dir, err)
		}
	}
	return hideSysctls()
}

// hideSysctls binds files over what the kubelet sets: it is the host's.
func hideSysctls() error {
	for i, name := range []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"} {
		path, over := filepath.Join("/proc/sys", name), fmt.Sprintf("/run/sysctl-%d", i)
		value, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(over, value, 0o600); err != nil {
			return err
		}
		if err := syscall.Mount(over, path, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("binding over %q: %w", path, err)
		}
	}
	return nil
}

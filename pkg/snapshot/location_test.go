package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLocate(t *testing.T) {
	store := t.TempDir()
	for _, c := range []struct {
		address, dir string
		want         Location
	}{
		{"", store, Location{Dir: store}},
		{"/a.sock", store, Location{Dir: store}},
		{"/a.sock", "", Location{Address: "/a.sock"}},
		{"unix:///a.sock", "", Location{Address: "/a.sock"}},
	} {
		if got, err := Locate(c.address, c.dir); err != nil || got != c.want {
			t.Errorf("Locate(%q, %q) = %v, %v; want %v", c.address, c.dir, got, err, c.want)
		}
	}
}

func TestLocateNoSocket(t *testing.T) {
	for _, address := range []string{"tcp://127.0.0.1:1234", "npipe:////./pipe/containerd", "unix://tcp://x"} {
		var socket *SocketError
		got, err := Locate(address, "")
		if !errors.As(err, &socket) || !errors.Is(err, ErrNotSocket) || socket.Address != address {
			t.Errorf("Locate(%q) = %v, %v", address, got, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := knock(t.Context(), file); !errors.Is(err, ErrNotSocket) {
		t.Errorf("a regular file: %v", err)
	}
}

func TestKnownSockets(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	own := filepath.Join(runtime, "containerd", "containerd.sock")
	rootless := "/proc/4711/root/run/containerd/containerd.sock"
	if known := knownSockets(); !slices.Contains(known, own) || slices.Contains(known, rootless) {
		t.Errorf("without a rootless containerd: %q", known)
	}
	if err := os.Mkdir(filepath.Join(runtime, "containerd-rootless"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(runtime, "containerd-rootless", "child_pid"), []byte("4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if known := knownSockets(); !slices.Contains(known, rootless) || !slices.Contains(known, "/run/k3s/containerd/containerd.sock") {
		t.Errorf("with a rootless containerd: %q", known)
	}
}

package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// DefaultAddress is where containerd listens unless it is told otherwise.
const DefaultAddress = "/run/containerd/containerd.sock"

// ErrNoHome says that this user has no folder for an embedded store.
var ErrNoHome = errors.New("no home folder")

// Location is where images are kept: exactly one of its fields is set.
type Location struct {
	// Address is the socket of a daemon, as a path.
	Address string
	// Dir is the root of an embedded store.
	Dir string
}

// String names the location for people.
func (l Location) String() string {
	if l.Dir != "" {
		return fmt.Sprintf("the embedded store %q", l.Dir)
	}
	return fmt.Sprintf("containerd at %q", l.Address)
}

// Locate chooses the store: dir where it is given, else the daemon at address
// where that is given, else the daemon at its default socket, else the
// embedded store of this user. A containerd that is known to listen elsewhere
// is an error, never passed over for the embedded store.
func Locate(address, dir string) (Location, error) {
	if dir != "" {
		return embeddedAt(dir)
	}
	if address != "" {
		path, err := socketPath(address)
		return Location{Address: path}, err
	}
	if _, err := os.Stat(DefaultAddress); !errors.Is(err, fs.ErrNotExist) {
		return Location{Address: DefaultAddress}, nil
	}
	for _, known := range knownSockets() {
		if _, err := os.Stat(known); err == nil {
			return Location{}, &SocketError{Address: DefaultAddress, Elsewhere: known, Err: syscall.ENOENT}
		}
	}
	return LocateEmbedded("")
}

// LocateEmbedded gives the embedded store in dir, or this user's where dir is
// empty.
func LocateEmbedded(dir string) (Location, error) {
	if dir != "" {
		return embeddedAt(dir)
	}
	if os.Geteuid() == 0 {
		return Location{Dir: "/var/lib/ctr-rootfs"}, nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Location{}, fmt.Errorf("choosing the embedded store: %w: %w", ErrNoHome, err)
		}
		data = filepath.Join(home, ".local", "share")
	}
	return embeddedAt(filepath.Join(data, "ctr-rootfs"))
}

// embeddedAt makes dir absolute: snapshots hold paths, and those outlive the
// working directory.
func embeddedAt(dir string) (Location, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Location{}, &StoreError{Dir: dir, Err: err}
	}
	return Location{Dir: abs}, nil
}

// ErrNotSocket says that an address is none of a socket of this host.
var ErrNotSocket = errors.New("it is no socket of this host")

// socketPath takes the forms of an address that containerd's own tools take,
// and makes it absolute: gRPC takes what follows "unix://" for a host.
func socketPath(address string) (string, error) {
	path := strings.TrimPrefix(address, "unix://")
	if strings.Contains(path, "://") {
		return "", &SocketError{Address: address, Err: ErrNotSocket}
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs, nil
	}
	return path, nil
}

// knownSockets lists where other distributions of containerd listen, and that
// of this user.
func knownSockets() []string {
	known := []string{
		"/run/k3s/containerd/containerd.sock",
		"/run/k0s/containerd.sock",
		"/var/snap/microk8s/common/run/containerd.sock",
		"/run/docker/containerd/containerd.sock",
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = fmt.Sprintf("/run/user/%d", os.Getuid())
	}
	known = append(known, filepath.Join(runtime, "containerd", "containerd.sock"))
	if rootless := rootlessSocket(runtime); rootless != "" {
		known = append(known, rootless)
	}
	return known
}

// rootlessSocket gives the socket of a rootless containerd: it has the default
// name, but in the mount namespace that RootlessKit made, whose process is
// noted in its state directory.
func rootlessSocket(runtime string) string {
	pid, err := os.ReadFile(filepath.Join(runtime, "containerd-rootless", "child_pid"))
	if err != nil {
		return "" // there is none: all this is a guess at what the user may mean
	}
	return filepath.Join("/proc", strings.TrimSpace(string(pid)), "root", DefaultAddress)
}

package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/ociruntime"
	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/probe"
)

// rootlessID is the user who starts rootless bundles.
const rootlessID = 1000

// bundleConfig is what these tests read of a config.json.
type bundleConfig struct {
	Annotations map[string]string
	Mounts      []struct{ Destination, Type string }
}

// TestRuntimes starts the same bundle by each runtime, and has the probe tell
// from inside what it sees.
func TestRuntimes(t *testing.T) {
	needsRoot(t)
	exitAtOnce(t)
	all := ociruntime.All(t)
	for name, s := range starts(t) {
		t.Run(name, func(t *testing.T) {
			bundle, printed := s.bundle(t, true)
			compareFile(t, filepath.Join(bundle, "config.json"), printed)
			config := readBundleConfig(t, bundle)
			for key, value := range s.annotations {
				if config.Annotations[key] != value {
					t.Errorf("annotation %q is %q, want %q", key, config.Annotations[key], value)
				}
			}
			for _, m := range config.Mounts {
				if _, err := os.Stat(filepath.Join(bundle, "rootfs", resolved(s, m.Destination))); err != nil {
					t.Errorf("the bundle has no place for a mount: %v", err)
				}
			}
			for _, r := range all {
				t.Run(r.Name, func(t *testing.T) { s.compare(t, r, bundle, config) })
			}
		})
	}
}

// compare starts the bundle by one runtime.
func (s start) compare(t *testing.T, r ociruntime.Runtime, bundle string, config bundleConfig) {
	t.Helper()
	uid := 0
	if s.rootless {
		uid = rootlessID
	}
	state := readState(t, r.Run(t, ociruntime.Start{Bundle: bundle, Terminal: s.want.Terminal, UID: uid}))
	if got, want := seenBy(t, state), s.want.orDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("the process sees\n%+v, want\n%+v", got, want)
	}
	for _, m := range config.Mounts {
		got, found := state.Mounts[resolved(s, m.Destination)]
		bind := m.Type == "bind" || m.Type == "none"
		if !found || !bind && got.Type != m.Type {
			t.Errorf("at %q is a mount of type %q, want %q", m.Destination, got.Type, m.Type)
		}
	}
	if s.check != nil {
		s.check(t, r.Name, state)
	}
}

// resolved is where a mount on path really lies in the image.
func resolved(s start, path string) string {
	if place, found := s.links[path]; found {
		return place
	}
	return path
}

// bundle writes the image as a bundle, in the way of who is to start it, and
// gives what spec prints, too, where that is asked for.
func (s start) bundle(t *testing.T, spec bool) (dir string, printed []byte) {
	t.Helper()
	args := append([]string{"oci-archive:" + writeArchive(t, "", s.image)}, s.flags...)
	if len(s.args) > 0 {
		args = append(append(args, "--"), s.args...)
	}
	if s.rootless {
		return rootlessBundle(t, args)
	}
	dir = filepath.Join(t.TempDir(), "bundle")
	args = append([]string{"--store", filepath.Join(t.TempDir(), "store")}, args...)
	ctrRootfs(t, append([]string{"bundle", "--format", "dir", "-o", dir}, args...)...)
	if spec {
		printed = ctrRootfs(t, append([]string{"spec"}, args...)...).stdout
	}
	return dir, printed
}

// compareFile compares a file's bytes.
func compareFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%q is\n%s\nwant\n%s", path, got, want)
	}
}

func readBundleConfig(t *testing.T, bundle string) (config bundleConfig) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// readState reads what the probe printed.
func readState(t *testing.T, output string) *probe.State {
	t.Helper()
	state := new(probe.State)
	if err := json.Unmarshal([]byte(output), state); err != nil {
		t.Fatalf("the probe printed %q: %v", output, err)
	}
	return state
}

// seen is what a process sees of itself.
type seen struct {
	// ID is UID:GID [GROUP...], and empty for root's.
	ID string
	// Cwd is empty for the root directory.
	Cwd string
	// Env is nil for the two variables that an image gets without its own.
	Env []string
	// Effective and Bounding are capability sets, empty for the default one.
	Effective, Bounding string
	// Hostname is empty for the host's, of which a new UTS namespace is a copy.
	Hostname string
	// Seccomp is the mode, empty for none; NoNewPrivs is "1" where empty.
	Seccomp, NoNewPrivs string
	// Denied are system calls that the seccomp filter refuses.
	Denied []string
	// NoFile is the limit of open files, 1024 where it is 0.
	NoFile             uint64
	Terminal, ReadOnly bool
}

func seenBy(t *testing.T, s *probe.State) seen {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	v := seen{
		ID: fmt.Sprintf("%d:%d %v", s.UID, s.GID, s.Groups), Cwd: s.Cwd, Env: s.Env, Hostname: s.Hostname,
		Effective: s.Status["CapEff"], Bounding: s.Status["CapBnd"],
		Seccomp: s.Status["Seccomp"], NoNewPrivs: s.Status["NoNewPrivs"], Denied: s.Denied,
		NoFile: s.NoFile, Terminal: s.Terminal, ReadOnly: s.ReadOnly,
	}
	if v.Hostname == host {
		v.Hostname = ""
	}
	return v
}

// orDefaults fills in what an image sees that says nothing.
func (v seen) orDefaults() seen {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&v.ID, "0:0 []")
	set(&v.Cwd, "/")
	set(&v.Effective, defaultCapabilities)
	set(&v.Bounding, defaultCapabilities)
	set(&v.Seccomp, "0")
	set(&v.NoNewPrivs, "1")
	if v.Env == nil {
		v.Env = []string{defaultPath, "HOME=/"}
	}
	if v.NoFile == 0 {
		v.NoFile = 1024
	}
	return v
}

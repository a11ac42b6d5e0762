package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// privileged are the system calls of whoever mounts or makes namespaces, which
// fail for the ordinary user even where the kernel would let him.
const privileged = "unshare,setns,mount,umount2,fsopen,fsconfig,fsmount,fspick,move_mount,open_tree,mount_setattr,pivot_root,chroot"

// ordinaryUser runs programs as nobody, with no capability, no way to get one,
// and no user namespace.
type ordinaryUser struct {
	// dir is a folder of his own, program a copy of ctr-rootfs in it.
	dir, program string
}

func newOrdinaryUser(t *testing.T) ordinaryUser {
	t.Helper()
	needsRoot(t)
	needsStrace(t)
	// Not t.TempDir, which is root's alone.
	dir, err := os.MkdirTemp("", "ordinary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the user's folder: %v", err)
		}
	})
	u := ordinaryUser{dir: dir, program: filepath.Join(dir, "ctr-rootfs")}
	program, err := os.ReadFile(programs.ctrRootfs)
	if err == nil {
		err = os.WriteFile(u.program, program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	u.own(t, dir)
	return u
}

// own gives a tree of root's to the user.
func (u ordinaryUser) own(t *testing.T, path string) {
	t.Helper()
	command(t, nil, "chown", "-R", "65534:65534", path)
}

// run gives what a command printed, its exit status, and which privileged
// system calls it tried.
func (u ordinaryUser) run(t *testing.T, args ...string) (o outcome, tried string) {
	t.Helper()
	log := filepath.Join(u.dir, "strace.log")
	call := append([]string{
		"--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs",
		"strace", "-f", "-qq", "-o", log, "--seccomp-bpf", "-e", "signal=none",
		"-e", "trace=clone,clone3," + privileged, "-e", "inject=" + privileged + ":error=EPERM",
	}, args...)
	cmd := exec.Command("setpriv", call...)
	cmd.Dir = u.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + u.dir, "TMPDIR=" + u.dir, "GORACE=atexit_sleep_ms=0"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("starting setpriv: %v", err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		// A thread that ends in the middle is of no interest, nor is a new one.
		if strings.Contains(line, "???(") || strings.Contains(line, "clone") && !strings.Contains(line, "CLONE_NEW") {
			continue
		}
		tried += line
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()}, tried
}

// ctrRootfs runs the user's ctr-rootfs, which must do without privilege.
func (u ordinaryUser) ctrRootfs(t *testing.T, args ...string) []byte {
	t.Helper()
	o, tried := u.run(t, append([]string{u.program}, args...)...)
	if o.status != 0 || strings.Contains(o.stderr, "DATA RACE") {
		t.Errorf("ctr-rootfs %s: exit status %d\n%s", strings.Join(args, " "), o.status, o.stderr)
	}
	if tried != "" {
		t.Errorf("ctr-rootfs %s tried\n%s", strings.Join(args, " "), tried)
	}
	return o.stdout
}

// TestOrdinaryUser has a user without any privilege export, bundle, describe and
// list archives, and images that he pulls into a store of his own. What he gets
// is byte by byte what root gets by a view.
func TestOrdinaryUser(t *testing.T) {
	u := newOrdinaryUser(t)
	if o, tried := u.run(t, "unshare", "--user", "true"); o.status == 0 || !strings.Contains(tried, "unshare(CLONE_NEWUSER)") {
		t.Fatalf("the user can make user namespaces: exit status %d\n%s%s", o.status, o.stderr, tried)
	}
	// Short, since the torture image has paths of 4,000 bytes.
	dir := t.TempDir()
	for name, image := range map[string]imagetest.Image{"standard": standard(t), "torture": imagetest.Torture()} {
		t.Run(name, func(t *testing.T) {
			archives := u.archives(t, name, image)
			roots := byRoot(t, "--store", filepath.Join(dir, name), "--via", "view", archives["oci-archive"])
			for source, from := range archives {
				t.Run(source, func(t *testing.T) { u.compare(t, roots, from) })
			}
			r := startRegistry(t, registryOptions{})
			r.push(t, name+":1", image)
			ref, own := r.host+"/"+name+":1", filepath.Join(u.dir, name+"-store")
			t.Run("pulled", func(t *testing.T) { u.compare(t, roots, "--store", own, "--plain-http", ref) })
			t.Run("store", func(t *testing.T) { u.compare(t, roots, "--store", own, "--pull", "never", ref) })
			for _, verb := range [][]string{{"images"}, {"gc"}, {"gc", "--images"}} {
				u.ctrRootfs(t, append(verb, "--store", own)...)
			}
		})
	}
}

// archives puts an image into the user's folder in every form that is read
// without a store, and gives the sources.
func (u ordinaryUser) archives(t *testing.T, name string, image imagetest.Image) map[string]string {
	t.Helper()
	content, err := imagetest.Build(name, image)
	if err != nil {
		t.Fatal(err)
	}
	layout := filepath.Join(u.dir, name)
	if err := content.WriteLayout(layout); err != nil {
		t.Fatal(err)
	}
	var oci, docker bytes.Buffer
	if err := content.WriteArchive(&oci); err != nil {
		t.Fatal(err)
	}
	if err := imagetest.WriteDockerArchive(&docker, name+":1", image); err != nil {
		t.Fatal(err)
	}
	for suffix, data := range map[string][]byte{".oci": oci.Bytes(), ".docker": docker.Bytes()} {
		if err := os.WriteFile(layout+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
		u.own(t, layout+suffix)
	}
	u.own(t, layout)
	return map[string]string{"oci": "oci:" + layout, "oci-archive": "oci-archive:" + layout + ".oci", "docker-archive": "docker-archive:" + layout + ".docker"}
}

// everyVerb is what is done with an image, but for its source. The torture image
// names no program.
func everyVerb(from ...string) map[string][]string {
	program := []string{"--", "/bin/sh"}
	return map[string][]string{
		"export": slices.Concat([]string{"export", "--reproducible", "--profile", "none"}, from),
		"bundle": slices.Concat([]string{"bundle", "--reproducible"}, from, program),
		"spec":   slices.Concat([]string{"spec"}, from, program),
		"ls":     slices.Concat([]string{"ls", "--json", "--reproducible"}, from),
	}
}

// byRoot gives what each verb writes.
func byRoot(t *testing.T, from ...string) map[string][]byte {
	t.Helper()
	written := map[string][]byte{}
	for verb, args := range everyVerb(from...) {
		written[verb] = ctrRootfs(t, args...).stdout
	}
	return written
}

// compare has the user run every verb.
func (u ordinaryUser) compare(t *testing.T, roots map[string][]byte, from ...string) {
	t.Helper()
	for verb, args := range everyVerb(from...) {
		got := u.ctrRootfs(t, args...)
		if !bytes.Equal(got, roots[verb]) {
			t.Errorf("%s: %d bytes differ from root's %d", verb, len(got), len(roots[verb]))
			continue
		}
		if verb == "export" {
			keepsWhatHeMayNotWrite(t, readTar(t, got))
		}
	}
}

// keepsWhatHeMayNotWrite looks for what no ordinary user can put on a disk.
func keepsWhatHeMayNotWrite(t *testing.T, l listing.Listing) {
	t.Helper()
	var owners, devices, capabilities int
	for _, e := range l {
		if e.UID != 65534 && e.UID != 0 {
			owners++
		}
		if e.Device != "" {
			devices++
		}
		if e.Xattrs["security.capability"] != "" {
			capabilities++
		}
	}
	if owners == 0 || devices == 0 || capabilities == 0 {
		t.Errorf("%d owners, %d devices and %d capabilities are kept", owners, devices, capabilities)
	}
}

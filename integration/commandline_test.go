package integration_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestWrongUsage gives command lines that are refused before anything is opened:
// not a byte goes to stdout, a tar that cannot be read no more than any other.
func TestWrongUsage(t *testing.T) {
	file := writeFile(t, "file", []byte("text"))
	for name, args := range map[string][]string{
		"--pull":            {"export", "--pull", "perhaps", "a"},
		"--via":             {"export", "--via", "magic", "a"},
		"--platform":        {"export", "--platform", "a/b/c/d", "a"},
		"SOURCE":            {"export", "pod:"},
		"SOURCE to pull":    {"export", "--pull", "always", "UPPER CASE"},
		"--pause":           {"export", "--pause", "a"},
		"two stores":        {"export", "--store", "s", "--address", "a.sock", "a"},
		"gc --lease":        {"gc", "--lease", "-1s"},
		"images --lease":    {"images", "--lease=3s"},
		"two stores, gc":    {"gc", "--store", "s", "--address", "a.sock"},
		"replaced twice":    {"export", "--replace", "a=" + file, "--replace", "/a=" + file, "a"},
		"replaced and kept": {"export", "--replace", "a=" + file, "--keep", "a", "a"},
		"replaced above":    {"export", "--replace", "../a=" + file, "a"},
		"bzip2":             {"export", "-o", filepath.Join(t.TempDir(), "a.tar.bz2"), "a"},
		"spec --exclude":    {"spec", "--exclude", "b", "a"},
		"spec --xattrs":     {"spec", "--xattrs", "none", "a"},
		"completion foo":    {"completion", "foo"},
		"help foo":          {"help", "foo"},
	} {
		t.Run(name, func(t *testing.T) {
			o := invocation{args: args}.run(t)
			if o.status != statusUsage || len(o.stdout) != 0 {
				t.Errorf("exit status %d, %d bytes on stdout", o.status, len(o.stdout))
			}
			checkError(t, o.stderr)
		})
	}
	t.Run("a missing archive", func(t *testing.T) {
		if o := (invocation{args: []string{"export", "oci-archive:/no/such.tar"}}).run(t); o.status != statusNotFound || len(o.stdout) != 0 {
			t.Errorf("exit status %d, %d bytes on stdout", o.status, len(o.stdout))
		}
	})
}

// TestNoHome is a user without a folder for a store.
func TestNoHome(t *testing.T) {
	needsRoot(t)
	if err := os.Chmod(filepath.Dir(programs.ctrRootfs), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := invocation{args: []string{"export", "--via", "view", "oci-archive:-"}}.command()
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Env, cmd.Dir = []string{"PATH=" + os.Getenv("PATH")}, "/"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	checkError(t, stderr.String(), "HOME", "--store DIR")
}

// TestCompressedByEnding takes an ending in either case, and none for none.
func TestCompressedByEnding(t *testing.T) {
	source := "oci-archive:" + writeArchive(t, "", imagetest.UsrEtc())
	for name, c := range map[string]struct {
		args  []string
		start string
	}{
		"a.TAR.GZ":  {nil, "\x1f\x8b"},
		"a.tar.ZST": {nil, "\x28\xb5\x2f\xfd"},
		"a.tar.xz":  {[]string{"--compress", "gzip"}, "\x1f\x8b"},
	} {
		out := filepath.Join(t.TempDir(), name)
		ctrRootfs(t, append([]string{"export", "-o", out, source}, c.args...)...)
		data, err := os.ReadFile(out)
		if err != nil || !bytes.HasPrefix(data, []byte(c.start)) {
			t.Errorf("%s begins with %.4x, %v", name, data, err)
		}
	}
}

// TestBlockedPlaces has something in the way of what is made: the error says
// what, and what it advises helps.
func TestBlockedPlaces(t *testing.T) {
	file := writeFile(t, "file", []byte("text"))
	image := func(layer ...imagetest.Entry) string {
		return "oci-archive:" + writeArchive(t, "", imageOf(imagetest.Image{}.Config, append(imagetest.Layer{imagetest.File("probe", 0o755, "")}, layer...)))
	}
	etcFile := image(imagetest.File("etc", 0o644, ""))
	below := image(imagetest.File("a", 0o644, ""))
	proc := image(imagetest.Symlink("proc", "/elsewhere"), imagetest.Dir("elsewhere", 0o755))
	dev := image(imagetest.File("dev", 0o644, ""))
	for name, c := range map[string]struct {
		args   []string
		says   string
		advice []string
	}{
		"etc is a file":                   {[]string{"export", etcFile}, `"etc" is a regular file, not a directory: use --keep etc`, []string{"--keep", "etc"}},
		"etc is a file, or none":          {[]string{"export", etcFile}, `or --profile none`, []string{"--profile", "none"}},
		"below a file":                    {[]string{"export", "--replace", "a/b=" + file, below}, `--exclude a`, []string{"--exclude", "a"}},
		"proc is a symlink":               {[]string{"bundle", proc}, `"proc" is a symlink, not a directory: leave that out with --exclude proc`, []string{"--exclude", "proc"}},
		"dev is a symlink":                {[]string{"bundle", image(imagetest.Symlink("dev", "/elsewhere"))}, `"dev" is a symlink, not a directory`, []string{"--exclude", "dev"}},
		"dev is a file":                   {[]string{"bundle", dev}, `--exclude dev`, []string{"--exclude", "dev"}},
		"a mount of the user's on a file": {[]string{"bundle", "--mount", "type=tmpfs,target=/a", below}, `--exclude a, or mount elsewhere`, []string{"--exclude", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := invocation{args: c.args}.run(t)
			if o.status != statusFailed {
				t.Errorf("exit status %d", o.status)
			}
			checkError(t, o.stderr, c.says)
			ctrRootfs(t, append(c.args, c.advice...)...)
		})
	}
	// A --replace that cannot be is said as it is, also where users are looked up.
	o := invocation{args: []string{"spec", "--user", "app", "--replace", "a/b=" + file, below}}.run(t)
	checkError(t, o.stderr, `"a" is a regular file`)
	if strings.Contains(o.stderr, "etc/passwd") {
		t.Errorf("it names a file that has nothing to do with it: %s", o.stderr)
	}
}

// TestRuntimesRefuseSymlinks holds that TestBlockedPlaces refuses what has to be
// refused: of the same bundle with a symlink there, a runtime makes nothing.
func TestRuntimesRefuseSymlinks(t *testing.T) {
	needsRoot(t)
	program, err := os.ReadFile(programs.hello)
	if err != nil {
		t.Fatal(err)
	}
	const runc, crun = "must be mounted on ordinary directory", "open /dev directory"
	for place, c := range map[string]struct{ runtime, says string }{"proc": {"runc", runc}, "sys": {"runc", runc}, "dev": {"crun", crun}} {
		bundle := filepath.Join(t.TempDir(), "bundle")
		ctrRootfs(t, "bundle", "--format", "dir", "-o", bundle, "oci-archive:"+writeArchive(t, "", imagetest.OneProgram(program)))
		root := filepath.Join(bundle, "rootfs")
		if err := errors.Join(os.RemoveAll(filepath.Join(root, place)), os.Mkdir(filepath.Join(root, "elsewhere"), 0o755), os.Symlink("/elsewhere", filepath.Join(root, place))); err != nil {
			t.Fatal(err)
		}
		for _, r := range runtimes(t) {
			if filepath.Base(r) != c.runtime {
				continue
			}
			line := bundleCommand(t, r, bundle)
			if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%s says of a bundle whose /%s is a symlink: %v, %s", c.runtime, place, err, out)
			}
		}
	}
}

// TestKeepOfNothing is said, since it may be misspelled.
func TestKeepOfNothing(t *testing.T) {
	source := "oci-archive:" + writeArchive(t, "", imagetest.UsrEtc())
	o := ctrRootfs(t, "export", "--keep", "etc/host", "--keep", "etc/hosts", source)
	if !strings.Contains(o.stderr, `--keep "etc/host" changes nothing`) || strings.Contains(o.stderr, `"etc/hosts"`) {
		t.Errorf("it says %s", o.stderr)
	}
}

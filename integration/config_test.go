package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// minimal is a config.json that starts the probe: its white space, its unknown
// field and its missing last line end are to stay.
const minimal = "{ \"ociVersion\" : \"1.0.2\",\r\n\t\"root\":{\"path\":\"./rootfs\"} , \"x-unknown\": [1e0],\n" +
	`"mounts":[{"destination":"/a/b","type":"tmpfs","source":"tmpfs"},{"destination":"c"}],` +
	`"process":{"cwd":"/","args":["/probe"],"user":{"uid":0,"gid":0}}}`

// TestConfigByteForByte: --config is what bundle writes and spec prints, and
// its mounts have their places.
func TestConfigByteForByte(t *testing.T) {
	needsRoot(t)
	args := []string{"--store", filepath.Join(t.TempDir(), "store"), "--config", writeFile(t, "given.json", []byte(minimal)),
		"oci-archive:" + writeArchive(t, "", oneFile())}
	dir := filepath.Join(t.TempDir(), "bundle")
	ctrRootfs(t, append([]string{"bundle", "--format", "dir", "-o", dir}, args...)...)
	written, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	printed := ctrRootfs(t, append([]string{"spec"}, args...)...).stdout
	for what, got := range map[string][]byte{"bundle": written, "spec": printed} {
		if !bytes.Equal(got, []byte(minimal)) {
			t.Errorf("%s gives %q, want %q", what, got, minimal)
		}
	}
	for _, place := range []string{"a/b", "c"} {
		if info, err := os.Stat(filepath.Join(dir, "rootfs", place)); err != nil || !info.IsDir() {
			t.Errorf("the place of a mount: %v, %v", info, err)
		}
	}
}

// TestConfigRefused: what is wrong with --config is said with its place, and
// nothing is written.
func TestConfigRefused(t *testing.T) {
	needsRoot(t)
	archive := "oci-archive:" + writeArchive(t, "", oneFile())
	store := filepath.Join(t.TempDir(), "store")
	tests := map[string]struct {
		config string
		args   []string
		status int
		want   string
	}{
		"comma too many":   {"{\n  \"root\": {\"path\": \"rootfs\",}\n}", nil, 1, "line 2 column 29"},
		"cut off":          {`{"ociVersion":"1.0.2"`, nil, 1, "line 1 column 21"},
		"text behind it":   {minimal + "\nx", nil, 1, "line 4 column 1"},
		"empty":            {"", nil, 1, "line 1 column 1"},
		"null":             {"null", nil, 1, "want an object"},
		"array":            {"[]", nil, 1, "line 1 column 1"},
		"not UTF-8":        {"{\n\"\xff\"}", nil, 1, "line 2 column 2"},
		"wrong type":       {"{\"root\":{\"path\":\"rootfs\"},\n\"process\":{\"user\":{\"uid\":\"root\"}}}", nil, 1, "line 2 column 31: process.user.uid"},
		"number too large": {"{\"process\":\n{\"user\":{\"uid\":4294967296}}}", nil, 1, "line 2 column"},
		"no ociVersion":    {`{"root":{"path":"rootfs"}}`, nil, 1, "ociVersion"},
		"no root":          {`{"ociVersion":"1.0.2"}`, nil, 1, "root: missing"},
		"another root":     {`{"ociVersion":"1.0.2","root":{"path":"/rootfs"}}`, nil, 1, `root.path "/rootfs"`},
		"root outside":     {`{"ociVersion":"1.0.2","root":{"path":"rootfs/.."}}`, nil, 1, `root.path "rootfs/.."`},
		"relative cwd":     {`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"cwd":"a","args":["x"]}}`, nil, 1, `process.cwd "a"`},
		"a flag beside it": {minimal, []string{"--tty"}, 2, "--tty would change it"},
		"args beside it":   {minimal, []string{"--", "/probe"}, 2, "arguments after --"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := writeFile(t, "given.json", []byte(test.config))
			dir := filepath.Join(t.TempDir(), "bundle")
			args := append([]string{"--store", store, "--config", config, archive}, test.args...)
			refuse(t, append([]string{"bundle", "--format", "dir", "-o", dir}, args...), test.status, test.want)
			if _, err := os.Lstat(dir); err == nil {
				t.Errorf("bundle left %q", dir)
			}
			refuse(t, append([]string{"spec"}, args...), test.status, test.want)
		})
	}
	t.Run("no such file", func(t *testing.T) {
		refuse(t, []string{"spec", "--store", store, "--config", filepath.Join(t.TempDir(), "none.json"), archive}, 1, "no such file")
	})
}

// TestFlagsRefused: what no runtime could apply, and what the image lacks.
func TestFlagsRefused(t *testing.T) {
	needsRoot(t)
	store := filepath.Join(t.TempDir(), "store")
	archive := "oci-archive:" + writeArchive(t, "", oneFile())
	silent := "oci-archive:" + writeArchive(t, "", imagetest.Image{Layers: []imagetest.Layer{{imagetest.File("a", 0o644, "")}}})
	tests := map[string]struct {
		source string
		args   []string
		status int
		want   string
	}{
		"no args":            {silent, nil, 1, "no Entrypoint and no Cmd"},
		"unknown capability": {archive, []string{"--cap-add", "FLY"}, 2, `capability "FLY"`},
		"mount of no type":   {archive, []string{"--mount", "target=/a"}, 2, "no type"},
		"memory":             {archive, []string{"--memory", "much"}, 2, `"much"`},
		"annotation":         {archive, []string{"--annotation", "x"}, 2, "KEY=VALUE"},
		"cwd":                {archive, []string{"--cwd", "a"}, 2, "not an absolute path"},
		"hostname":           {archive, []string{"--hostname", strings.Repeat("h", 65)}, 2, "over 64 bytes"},
		"seccomp":            {archive, []string{"--seccomp", writeFile(t, "s.json", []byte("{\n]"))}, 1, "line 2 column 1"},
		"rootless user":      {archive, []string{"--rootless", "--user", "5"}, 1, "only user 0:0 exists there"},
		"uid out of range":   {archive, []string{"--user", "2147483648"}, 2, "out of range 0 to 2147483647"},
		"negative gid":       {archive, []string{"--user", "0:-1"}, 2, "out of range 0 to 2147483647"},
		"unknown user":       {archive, []string{"--user", "nobody"}, 1, `user "nobody" in etc/passwd`},
		"unknown group":      {archive, []string{"--user", "0:nogroup"}, 1, `group "nogroup" in etc/group`},
		"--path and spec":    {archive, []string{"--path", "a"}, 2, "unknown flag"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			refuse(t, append([]string{"spec", "--store", store, test.source}, test.args...), test.status, test.want)
		})
	}
}

// oneFile is an image whose program is never started.
func oneFile() imagetest.Image {
	return imageOf(ispec.ImageConfig{}, imagetest.Layer{imagetest.File("probe", 0o755, "")})
}

// refuse runs the binary, which has to fail with the status, one line on
// stderr that has the words, and nothing on stdout.
func refuse(t *testing.T, args []string, status int, words string) {
	t.Helper()
	o := invocation{args: args}.run(t)
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	last := lines[len(lines)-1]
	if o.status != status || !strings.Contains(last, words) {
		t.Errorf("%s: exit status %d, %q; want %d, %q", args[0], o.status, last, status, words)
	}
	if len(o.stdout) > 0 {
		t.Errorf("%s printed %q", args[0], o.stdout)
	}
}

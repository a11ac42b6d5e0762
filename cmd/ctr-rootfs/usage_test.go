package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// said runs a command line, and gives its exit status and what it says on
// stderr. Its store is empty and its own.
func said(t *testing.T, args ...string) (status int, stderr string) {
	t.Helper()
	for _, name := range []string{"CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE", "CONTAINERD_SNAPSHOTTER", "SOURCE_DATE_EPOCH"} {
		t.Setenv(name, "")
	}
	t.Setenv("CTR_ROOTFS_STORE", filepath.Join(t.TempDir(), "store"))
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var told strings.Builder
	status = run(t.Context(), args, streams{in: out, out: out, errors: &told})
	if info, err := out.Stat(); err != nil || status == statusUsage && info.Size() > 0 {
		t.Errorf("%q: wrong usage, and %d bytes on stdout, %v", args, info.Size(), err)
	}
	return status, told.String()
}

// checkRefused wants wrong usage, and one line that says the text.
func checkRefused(t *testing.T, text string, args ...string) {
	t.Helper()
	status, told := said(t, args...)
	if status != statusUsage || !strings.Contains(told, text) || strings.Count(told, "\n") != 1 {
		t.Errorf("%q: exit status %d, want %d, and stderr has\n%swant %s", args, status, statusUsage, told, text)
	}
}

func TestNamespaceRefused(t *testing.T) {
	for _, namespace := range []string{"a b", "a/b", "-", "a..b", strings.Repeat("a", 77)} {
		for _, args := range [][]string{{"images"}, {"gc"}, {"export", "a"}, {"ls", "oci-archive:/no/such"}} {
			checkRefused(t, `reading --namespace "`+namespace+`": it is letters`, append(args, "-n", namespace)...)
		}
	}
	for _, namespace := range []string{"", "k8s.io", "a-b_c.D"} {
		if status, told := said(t, "images", "--namespace", namespace); status != 0 {
			t.Errorf("-n %q: exit status %d, and stderr has\n%s", namespace, status, told)
		}
	}
}

// TestValuesOnEveryVerb: a value that cannot be is refused also by a verb that
// has no use for it.
func TestValuesOnEveryVerb(t *testing.T) {
	for _, verb := range [][]string{{"images"}, {"gc"}, {"version"}, {"export", "a"}, {"spec", "a"}} {
		for flag, value := range map[string]string{"--pull": "bogus", "--via": "bogus", "--platform": "a/b/c/d"} {
			checkRefused(t, `reading `+flag+` "`+value+`": `, append(verb, flag, value)...)
		}
	}
	checkRefused(t, `reading --quiet: --json is`, "images", "-q", "--json")
	for _, args := range [][]string{
		{"images", "-q"}, {"images", "--json"}, {"images", "--json", "-q=false"}, {"gc", "--via", "layers"},
		{"version", "--platform", "linux/arm64", "--pull", "never", "--via", "view"},
	} {
		if status, told := said(t, args...); status != 0 {
			t.Errorf("%q: exit status %d, and stderr has\n%s", args, status, told)
		}
	}
}

// TestSpecOfContainerRefused before an image is pulled.
func TestSpecOfContainerRefused(t *testing.T) {
	for _, verb := range []string{"bundle", "spec"} {
		for _, source := range []string{"alpine", "snapshot:a", "oci-archive:/no/such"} {
			checkRefused(t, `reading --spec container: "`+source+`" is no container and no pod`, verb, "--spec", "container", source)
		}
	}
}

// TestEmptyValues: a script's unset variable is no file, and must not pass for
// a flag that was not given.
func TestEmptyValues(t *testing.T) {
	for _, args := range [][]string{
		{"spec", "--config", "", "a"}, {"bundle", "--config=", "a"},
		{"export", "--metadata-file", "", "a"}, {"bundle", "--path", "", "a"},
		{"export", "-o", "", "a"}, {"export", "--print-key", "-o", "", "a"}, {"bundle", "--output=", "--format", "dir", "a"},
	} {
		flag, _, _ := strings.Cut(args[1], "=")
		switch flag {
		case "-o", "--print-key":
			flag = "--output"
		}
		checkRefused(t, `reading `+flag+` "": `, args...)
	}
}

// TestEmptyStores: an empty --address or --store is the default, also beside the
// other one.
func TestEmptyStores(t *testing.T) {
	t.Setenv("CONTAINERD_ADDRESS", "/env.sock")
	t.Setenv("CTR_ROOTFS_STORE", "/env")
	for _, c := range []struct {
		args []string
		want snapshot.Location
	}{
		{[]string{"-a", "", "--store", "/s"}, snapshot.Location{Dir: "/s"}},
		{[]string{"--store", "", "-a", "/a.sock"}, snapshot.Location{Address: "/a.sock"}},
		{[]string{"--store", ""}, snapshot.Location{Address: "/env.sock"}},
		{[]string{"--store", "/s"}, snapshot.Location{Dir: "/s"}},
		{[]string{"-a", "/a.sock"}, snapshot.Location{Address: "/a.sock"}},
	} {
		flags := pflag.NewFlagSet("images", pflag.ContinueOnError)
		f := newStoreFlags(flags, streams{})
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		got, err := f.locateStore()
		if err := f.check(); err != nil {
			t.Errorf("%q: %v", c.args, err)
		}
		if err != nil || got != c.want {
			t.Errorf("%q is %v, %v, want %v", c.args, got, err, c.want)
		}
	}
	checkRefused(t, "another store", "images", "--store", "/s", "-a", "/a.sock")
}

// TestValuesSayTheirFlag: an error of a value begins with what was read.
func TestValuesSayTheirFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "patterns")
	if err := os.WriteFile(file, []byte("usr\n[\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`reading --exclude "[": `:                            {"export", "--exclude", "[", "a"},
		`reading --exclude "": `:                             {"ls", "--exclude", "", "a"},
		`reading --include "!": `:                            {"bundle", "--include", "usr", "--include", "!", "a"},
		`reading --exclude-from "` + file + `": pattern "["`: {"export", "--exclude-from", file, "a"},
		`reading --compress "": it is auto, none`:            {"export", "--compress", "", "a"},
		`reading --compress "lzma": it is auto, none`:        {"export", "--compress", "lzma", "a"},
		`reading --compress "gzip:77": `:                     {"export", "--compress", "gzip:77", "a"},
		`reading --prefix "./rootfs": `:                      {"export", "--prefix", "./rootfs", "a"},
		`reading --prefix "/": `:                             {"ls", "--prefix", "/", "a"},
		`reading --path "../b": `:                            {"bundle", "--path", "../b", "a"},
		`reading --xattrs "foo": `:                           {"export", "--xattrs", "foo", "a"},
	} {
		checkRefused(t, want, args...)
	}
}

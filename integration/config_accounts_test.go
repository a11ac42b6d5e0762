package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

const (
	appPasswd = "app:x:7:8::/home:\n"
	appGroup  = "wheel:x:9:app\n"
	// appID is app by these two files.
	appID = "7:8 [9]"
)

// lookup is an image that runs as app, and who that is found to be.
type lookup struct {
	layer imagetest.Layer
	// want is UID:GID [GROUP...].
	want string
	// refused are words of the error instead.
	refused string
}

// linkLookups are the ways in which etc and its files are symlinks.
func linkLookups() map[string]lookup {
	files := func(dir string, links ...imagetest.Entry) imagetest.Layer {
		return append(imagetest.Layer{
			imagetest.Dir("r", 0o755), imagetest.Dir("r/d", 0o755),
			imagetest.File(dir+"/passwd", 0o644, appPasswd), imagetest.File(dir+"/group", 0o644, appGroup),
		}, links...)
	}
	link := imagetest.Symlink
	etc := imagetest.Dir("etc", 0o755)
	return map[string]lookup{
		"etc relative":         {layer: files("r", link("etc", "r")), want: appID},
		"etc absolute":         {layer: files("r", link("etc", "/r")), want: appID},
		"etc chained":          {layer: files("r/d", link("etc", "/a"), link("a", "b/../r"), imagetest.Dir("b", 0o755), link("r/passwd", "d/passwd"), link("r/group", "/r/d/group")), want: appID},
		"etc above the root":   {layer: files("r", link("etc", "../../../r")), want: appID},
		"files relative":       {layer: files("r", etc, link("etc/passwd", "../r/passwd"), link("etc/group", "../r/group")), want: appID},
		"files absolute":       {layer: files("r", etc, link("etc/passwd", "/r/passwd"), link("etc/group", "/r/group")), want: appID},
		"files above the root": {layer: files("r", etc, link("etc/passwd", "/../../../../r/passwd"), link("etc/group", "../../../../../r/group")), want: appID},
		"files chained":        {layer: files("r/d", etc, link("etc/passwd", "/l1"), link("l1", "r/l2"), link("r/l2", "/r/d/passwd"), link("etc/group", "../r/d/../d/group")), want: appID},
		"a loop":               {layer: imagetest.Layer{etc, link("etc/passwd", "passwd")}, refused: "too many levels of symbolic links"},
		"dangling":             {layer: imagetest.Layer{etc, link("etc/passwd", "/nowhere")}, refused: `user "app" in etc/passwd: no such file`},
		"no etc":               {layer: imagetest.Layer{imagetest.File("a", 0o644, "")}, refused: `user "app" in etc/passwd: no such file`},
		"not in it":            {layer: imagetest.Layer{etc, imagetest.File("etc/passwd", 0o644, "root:x:0:0::/:\n")}, refused: `user "app" in etc/passwd: not found`},
	}
}

// hostLookups lead to a file of the host's, which has app, too.
func hostLookups(host string) map[string]lookup {
	etc := imagetest.Dir("etc", 0o755)
	all := map[string]lookup{
		"etc": {layer: imagetest.Layer{imagetest.Symlink("etc", filepath.Dir(host))}},
	}
	up := strings.Repeat("../", 40)
	for name, target := range map[string]string{
		"absolute": host, "relative": up + host[1:],
		"by /proc/self/root": "/proc/self/root" + host, "by /proc/1/root": "/proc/1/root" + host, "by /proc/self/cwd": "/proc/self/cwd/" + up + host[1:],
	} {
		all[name] = lookup{layer: imagetest.Layer{etc, imagetest.Symlink("etc/passwd", target)}}
	}
	for name, l := range all {
		l.refused = `user "app" in etc/passwd: no such file`
		all[name] = l
	}
	return all
}

// objectLookups have no regular file there.
func objectLookups() map[string]lookup {
	etc := imagetest.Dir("etc", 0o755)
	const passwd = "etc/passwd"
	all := map[string]lookup{}
	for name, e := range map[string]imagetest.Entry{
		"FIFO":             imagetest.FIFO(passwd, 0o644),
		"character device": imagetest.Char(passwd, 0o644, 1, 5),
		"block device":     imagetest.Block(passwd, 0o644, 7, 7),
		"directory":        imagetest.Dir(passwd, 0o755),
	} {
		all[name] = lookup{layer: imagetest.Layer{etc, e}, refused: `"etc/passwd": it is a ` + name}
	}
	all["FIFO behind a symlink"] = lookup{
		layer: imagetest.Layer{etc, imagetest.Symlink(passwd, "/pipe"), imagetest.FIFO("pipe", 0o644)}, refused: "it is a FIFO",
	}
	all["group a FIFO"] = lookup{
		layer: imagetest.Layer{etc, imagetest.File(passwd, 0o644, appPasswd), imagetest.FIFO("etc/group", 0o644)}, refused: `"etc/group": it is a FIFO`,
	}
	all["etc a file"] = lookup{layer: imagetest.Layer{imagetest.File("etc", 0o644, "")}, refused: `user "app" in etc/passwd: no such file`}
	return all
}

// TestAccountsLookup resolves a named user inside the image's own root.
func TestAccountsLookup(t *testing.T) {
	needsRoot(t)
	exitAtOnce(t)
	host := writeFile(t, "passwd", []byte(appPasswd))
	for kind, lookups := range map[string]map[string]lookup{
		"links": linkLookups(), "the host's": hostLookups(host), "objects": objectLookups(),
	} {
		for name, l := range lookups {
			t.Run(kind+"/"+name, func(t *testing.T) {
				image := imageOf(ispec.ImageConfig{User: "app"}, l.layer)
				args := []string{"spec", "--timeout", "30s", "--via", "view", "--store", filepath.Join(t.TempDir(), "store"), "oci-archive:" + writeArchive(t, "", image)}
				if l.refused != "" {
					refuse(t, args, 1, l.refused)
					return
				}
				if got := userOf(t, ctrRootfs(t, args...).stdout); got != l.want {
					t.Errorf("app is %s, want %s", got, l.want)
				}
			})
		}
	}
}

// TestAccountsAreNotOpened looks at the system calls: what acts or blocks when
// it is opened is opened with O_PATH only, if at all.
func TestAccountsAreNotOpened(t *testing.T) {
	needsRoot(t)
	objects := objectLookups()
	for name, file := range map[string]string{
		"FIFO": "passwd", "character device": "passwd", "block device": "passwd", "FIFO behind a symlink": "pipe", "group a FIFO": "group",
	} {
		t.Run(name, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace")
			source := "oci-archive:" + writeArchive(t, "", imageOf(ispec.ImageConfig{User: "app"}, objects[name].layer))
			// strace passes on the program's own exit status.
			command(t, nil, "sh", "-c", `! strace -f -qq -o "$0" -e trace=open,openat,openat2,statx,newfstatat "$@"`,
				trace, programs.ctrRootfs, "spec", "--via", "view", "--store", filepath.Join(t.TempDir(), "store"), source)
			calls, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			opened := regexp.MustCompile(`open[a-z0-9]*\(.*[/"]` + file + `"`)
			seen := regexp.MustCompile(`stat[a-z]*\(.*[/"]` + file + `"`)
			for line := range strings.Lines(string(calls)) {
				if opened.MatchString(line) && !strings.Contains(line, "O_PATH") {
					t.Errorf("it was opened: %s", line)
				}
			}
			if !seen.Match(calls) {
				t.Errorf("nothing was asked of %q", file)
			}
		})
	}
}

// userOf reads process.user of a config.json.
func userOf(t *testing.T, config []byte) string {
	t.Helper()
	var c struct {
		Process struct {
			User struct {
				UID, GID       int
				AdditionalGids []int
			}
		}
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	u := c.Process.User
	return fmt.Sprintf("%d:%d %v", u.UID, u.GID, u.AdditionalGids)
}

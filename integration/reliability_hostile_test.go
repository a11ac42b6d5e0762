package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// secret is in a file of the host that hostile images reach for.
const secret = "a secret of the host"

// hostDir makes what must be neither read nor written.
func hostDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "host")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "passwd", "motd", "sub/secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// hostileLayers are images that reach for host, by what they do it with.
func hostileLayers(host string) map[string][]imagetest.Layer {
	up := strings.Repeat("../", 20) + strings.TrimPrefix(host, "/")
	file := func(name string) imagetest.Entry { return imagetest.File(name, 0o666, "hostile") }
	one := func(entries ...imagetest.Entry) []imagetest.Layer {
		return []imagetest.Layer{append(imagetest.Layer{imagetest.File("first", 0o644, "")}, entries...)}
	}
	two := func(lower imagetest.Layer, upper ...imagetest.Entry) []imagetest.Layer {
		return []imagetest.Layer{lower, upper}
	}
	link := imagetest.Layer{imagetest.Symlink("d", host), imagetest.Symlink("etc", host)}
	return map[string][]imagetest.Layer{
		"name upwards":                  one(file(up + "/new")),
		"name over a file":              one(file(up + "/secret")),
		"name absolute":                 one(file(host + "/new")),
		"name through a directory":      one(imagetest.Dir("a", 0o755), file("a/../../"+up+"/new")),
		"name through a symlink":        one(append(link, file("d/new"), file("d/secret"))...),
		"name through a lower symlink":  two(link, file("d/new"), file("d/secret"), imagetest.Dir("d/sub", 0o777), file("d/sub/new")),
		"directory over the symlink":    two(link, imagetest.Dir("d", 0o777), file("d/secret")),
		"symlink upwards":               two(imagetest.Layer{imagetest.Symlink("d", up)}, file("d/new")),
		"two symlinks":                  one(imagetest.Symlink("a", ".."), imagetest.Symlink("b", "a/"+up), file("b/new")),
		"hard link upwards":             one(imagetest.Link("g", up+"/secret")),
		"hard link absolute":            one(imagetest.Link("g", host+"/secret")),
		"hard link through a symlink":   one(append(link, imagetest.Link("g", "d/secret"))...),
		"hard link over lower symlinks": two(link, imagetest.Link("g", "d/secret")),
		"whiteout upwards":              two(link, imagetest.Whiteout(up, "secret")),
		"whiteout through a symlink":    two(link, imagetest.Whiteout("d", "secret")),
		"whiteout of a path":            two(link, file(".wh../"+up+"/secret")),
		"opaque through a symlink":      two(link, imagetest.Opaque("d")),
		"opaque upwards":                two(link, imagetest.Opaque(up)),
		"device":                        one(imagetest.Block("disk", 0o666, 254, 0), imagetest.Char("mem", 0o666, 1, 1)),
		"FIFO":                          one(imagetest.FIFO("etc/passwd", 0o666), imagetest.FIFO("etc/group", 0o666), imagetest.FIFO("etc/motd", 0o666)),
		"zero device as passwd":         one(imagetest.Char("etc/passwd", 0o666, 1, 5), imagetest.Char("etc/group", 0o666, 1, 5)),
		"passwd as a symlink":           one(imagetest.Dir("etc", 0o755), imagetest.Symlink("etc/passwd", host+"/passwd"), imagetest.Symlink("etc/group", up+"/passwd"), imagetest.Symlink("etc/motd", host+"/motd")),
		"passwd as itself":              one(imagetest.Dir("etc", 0o755), imagetest.Symlink("etc/passwd", "passwd"), imagetest.Symlink("etc/motd", "../etc/motd")),
		"proc as a symlink":             one(imagetest.Symlink("proc", host), imagetest.Symlink("dev", host), imagetest.Symlink("sys", up)),
		"NUL in a name":                 one(file("a").PAX("path", "a\x00b")),
		"NUL in an xattr's name":        one(file("a").PAX("SCHILY.xattr.user.a\x00b", "1")),
		"xattr without a name":          one(file("a").PAX("SCHILY.xattr.", "1")),
		"xattr of 64 KiB":               one(file("a").Xattr("user.a", strings.Repeat("x", 64<<10))),
		"xattr of 64 KiB and 1":         one(file("a").Xattr("user.a", strings.Repeat("x", 64<<10+1))),
		"xattr of overlayfs":            one(imagetest.Dir("a", 0o755).Xattr("trusted.overlay.redirect", "/../../"+up).Xattr("user.overlay.redirect", up)),
		"negative size":                 one(file("a").PAX("size", "-1")),
		"absurd size":                   one(file("a").PAX("size", "9223372036854775807")),
		"size beyond 64 bits":           one(file("a").PAX("size", "99999999999999999999")),
		"absurd time":                   one(file("a").PAX("mtime", "9223372036854775807.999999999")),
		"absurd owner":                  one(file("a").PAX("uid", "18446744073709551615").PAX("gid", "-5")),
		"name of 1 MiB":                 one(file(strings.Repeat("x", 1<<20))),
		"path of 100,000 directories":   one(file(strings.Repeat("x/", 100_000) + "f")),
		"name as the root":              one(file("."), file("./"), imagetest.Symlink(".", host), imagetest.Whiteout(".", ".")),
		"unknown kind":                  one(imagetest.Entry{Name: "a", Typeflag: 'Z', Target: host}),
		"terminal's codes":              one(imagetest.Link("g", "\x1b]0;hostile\a/../../\x1b[2J\u0085"), file("\x1b[2J")),
		"device as a directory":         two(imagetest.Layer{imagetest.Block("d", 0o666, 254, 0)}, file("d/new")),
	}
}

// TestHostileImages reads images that reach for the host, in every way: what
// they reach for is neither read nor written, and nothing hangs or crashes.
func TestHostileImages(t *testing.T) {
	needsRoot(t)
	inMemory(t)
	host := hostDir(t)
	before, err := listing.OfDir(host)
	if err != nil {
		t.Fatal(err)
	}
	motd := writeFile(t, "motd", []byte("of the user"))
	dir := t.TempDir()
	store, rootfs := filepath.Join(dir, "store"), filepath.Join(dir, "rootfs")
	for name, layers := range hostileLayers(host) {
		t.Run(name, func(t *testing.T) {
			image := imagetest.Image{Config: ispec.ImageConfig{User: "app", Entrypoint: []string{"/x"}}, Layers: layers}
			source := "oci-archive:" + writeArchive(t, "", image)
			for _, via := range []string{"view", "layers"} {
				for verb, args := range map[string][]string{
					"export":    {"export", "--replace", "etc/motd=" + motd},
					"directory": {"export", "--format", "dir", "-o", rootfs, "--replace", "etc/motd=" + motd},
					"bundle":    {"bundle", "--format", "dir", "-o", rootfs},
					"spec":      {"spec"},
				} {
					o := runHostile(t, append(args, "--store", store, "--via", via, source)...)
					if bytes.Contains(o.stdout, []byte(secret)) {
						t.Errorf("%s by %s gave the secret away", verb, via)
					}
					checkNoSecret(t, rootfs)
					if err := os.RemoveAll(rootfs); err != nil {
						t.Fatal(err)
					}
				}
			}
			after, err := listing.OfDir(host)
			if err != nil {
				t.Fatal(err)
			}
			if diff := listing.Diff(before, after); diff != "" {
				t.Errorf("it changed the host:\n%s", diff)
			}
		})
	}
}

// runHostile runs the binary on what is hostile: it ends soon, with 0 or with
// one line that says why.
func runHostile(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := invocation{args: args}.command()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	hang := time.AfterFunc(patience, func() {
		t.Errorf("%q hangs", args)
		_ = cmd.Process.Kill() // it may be through
	})
	defer hang.Stop()
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	status := cmd.ProcessState.ExitCode()
	if status != 0 && status != statusFailed && status != statusNotFound || strings.Contains(stderr.String(), "goroutine ") {
		t.Errorf("%q: exit status %d\n%.2000s", args, status, &stderr)
	}
	if lines := errorLines(stderr.String()); status != 0 && (len(lines) != 1 || len(lines[0]) > 1600) {
		t.Errorf("%q: %d lines on stderr, want a short one:\n%.2000s", args, len(lines), strings.Join(lines, "\n"))
	}
	if strings.ContainsAny(stderr.String(), "\x1b\a") {
		t.Errorf("%q: stderr commands the terminal: %q", args, &stderr)
	}
	return outcome{status, stdout.Bytes(), stderr.String()}
}

// checkNoSecret looks into what was written, following no symlink.
func checkNoSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%q holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostileDocuments reads layouts whose manifests, descriptors and digests
// lie.
func TestHostileDocuments(t *testing.T) {
	needsRoot(t)
	inMemory(t)
	manifest := func(edit func(*ispec.Manifest)) func(*testing.T, *imagetest.Content) {
		return func(t *testing.T, c *imagetest.Content) { editManifest(t, c, edit) }
	}
	for name, spoil := range map[string]func(*testing.T, *imagetest.Content){
		"digest of a layer": func(_ *testing.T, c *imagetest.Content) {
			d, data := largest(c)
			c.Blobs[d] = append(bytes.Clone(data[:len(data)-1]), data[len(data)-1]^1)
		},
		"every blob empty": func(_ *testing.T, c *imagetest.Content) {
			for d := range c.Blobs {
				c.Blobs[d] = nil
			}
		},
		"manifest that names itself": func(_ *testing.T, c *imagetest.Content) {
			root := c.Index.Manifests[0].Digest
			c.Blobs[root] = []byte(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"` + root.String() + `","size":9}]}`)
			c.Index.Manifests[0].MediaType = ispec.MediaTypeImageIndex
		},
		"index of itself a thousand times": func(_ *testing.T, c *imagetest.Content) {
			for range 10 {
				c.Index.Manifests = append(c.Index.Manifests, c.Index.Manifests...)
			}
			for i := range c.Index.Manifests {
				c.Index.Manifests[i].Annotations = nil
			}
		},
		"negative size":           manifest(func(m *ispec.Manifest) { m.Layers[0].Size = -1 }),
		"absurd size":             manifest(func(m *ispec.Manifest) { m.Layers[0].Size = 1 << 62 }),
		"config of 1 GiB":         manifest(func(m *ispec.Manifest) { m.Config.Size = 1 << 30 }),
		"negative config":         manifest(func(m *ispec.Manifest) { m.Config.Size = -1 << 62 }),
		"digest as a path":        manifest(func(m *ispec.Manifest) { m.Layers[0].Digest = "sha256:../../../../../../etc/passwd" }),
		"unknown algorithm":       manifest(func(m *ispec.Manifest) { m.Config.Digest = "md5:d41d8cd98f00b204e9800998ecf8427e" }),
		"no digest":               manifest(func(m *ispec.Manifest) { m.Layers[0].Digest = "" }),
		"config as a layer":       manifest(func(m *ispec.Manifest) { m.Layers[0].Digest, m.Layers[0].Size = m.Config.Digest, m.Config.Size }),
		"layers in another order": manifest(func(m *ispec.Manifest) { m.Layers[0], m.Layers[1] = m.Layers[1], m.Layers[0] }),
		"a layer too many":        manifest(func(m *ispec.Manifest) { m.Layers = append(m.Layers, m.Layers[0]) }),
		"an unknown media type":   manifest(func(m *ispec.Manifest) { m.Layers[0].MediaType = "application/x-sh" }),
		"foreign":                 manifest(func(m *ispec.Manifest) { m.Layers[0].URLs = []string{"file:///etc/passwd"} }),
	} {
		t.Run(name, func(t *testing.T) {
			content, err := imagetest.Build(smallName, small())
			if err != nil {
				t.Fatal(err)
			}
			spoil(t, content)
			dir := filepath.Join(t.TempDir(), "layout")
			if err := content.WriteLayout(dir); err != nil {
				t.Fatal(err)
			}
			store := filepath.Join(t.TempDir(), "store")
			out := outputDir{t.TempDir(), nil}
			for _, via := range []string{"view", "layers"} {
				// The URLs of a foreign layer are not asked where its blob is there.
				want := name == "foreign" || name == "index of itself a thousand times"
				o := runHostile(t, "export", "--store", store, "--via", via, "-o", out.file(), "oci:"+dir)
				if (o.status == 0) != want {
					t.Errorf("by %s: exit status %d\n%s", via, o.status, o.stderr)
				}
				if !want {
					out.check(t, false, false)
				}
			}
			checkSaid(t, ctrRootfs(t, "gc", "--store", store), "removed what 0 crashed runs left")
		})
	}
}

// editManifest changes the one manifest of c, and all digests with it.
func editManifest(t *testing.T, c *imagetest.Content, edit func(*ispec.Manifest)) {
	t.Helper()
	root := &c.Index.Manifests[0]
	var m ispec.Manifest
	if err := json.Unmarshal(c.Blobs[root.Digest], &m); err != nil {
		t.Fatal(err)
	}
	edit(&m)
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	root.Digest, root.Size = digest.FromBytes(data), int64(len(data))
	c.Blobs[root.Digest] = data
}

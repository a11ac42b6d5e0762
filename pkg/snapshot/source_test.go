package snapshot

import (
	"os"
	"strings"
	"testing"
)

func TestParseSource(t *testing.T) {
	for _, c := range []struct {
		text string
		want Source
	}{
		{"alpine", Source{Kind: ImageName, Name: "docker.io/library/alpine:latest", Typed: "alpine"}},
		{"alpine:3.20", Source{Kind: ImageName, Name: "docker.io/library/alpine:3.20", Typed: "alpine:3.20"}},
		{"oci", Source{Kind: ImageName, Name: "docker.io/library/oci:latest", Typed: "oci"}},
		{"ghcr.io/a/b:c", Source{Kind: ImageName, Name: "ghcr.io/a/b:c", Typed: "ghcr.io/a/b:c"}},
		{"localhost:5000/a", Source{Kind: ImageName, Name: "localhost:5000/a:latest", Typed: "localhost:5000/a"}},
		{"oci:/srv/layout", Source{Kind: OCILayout, Name: "/srv/layout"}},
		{"oci-archive:a.tar:v1", Source{Kind: OCIArchive, Name: "a.tar", Ref: "v1"}},
		{"oci-archive:-", Source{Kind: OCIArchive, Name: "-"}},
		{"docker-archive:a.tar:docker.io/library/a:v1", Source{Kind: DockerArchive, Name: "a.tar", Ref: "docker.io/library/a:v1"}},
		{"snapshot:sha256:1f", Source{Kind: SnapshotKey, Name: "sha256:1f"}},
		{"container:web-1", Source{Kind: ContainerID, Name: "web-1"}},
		{"pod:prod/web/app", Source{Kind: PodName, Name: "prod/web/app"}},
		// What only a store can have stands as it is.
		{"MyApp:1", Source{Kind: ImageName, Name: "MyApp:1", Typed: "MyApp:1"}},
		{"example.test/app:v1.2+build3", Source{Kind: ImageName, Name: "example.test/app:v1.2+build3", Typed: "example.test/app:v1.2+build3"}},
		{"sha256:1f", Source{Kind: ImageName, Name: "sha256:1f", Typed: "sha256:1f"}},
		{"a b", Source{Kind: ImageName, Name: "a b", Typed: "a b"}},
		{"<none>", Source{Kind: ImageName, Name: "<none>", Typed: "<none>"}},
		{"docker://alpine", Source{Kind: ImageName, Name: "docker://alpine", Typed: "docker://alpine"}},
		{"docker-daemon:alpine", Source{Kind: ImageName, Name: "docker-daemon:alpine", Typed: "docker-daemon:alpine"}},
		// In quotes, nothing is a form and nothing is normalised.
		{`"alpine"`, Source{Kind: ImageName, Name: "alpine", Typed: "alpine"}},
		{`"oci:app"`, Source{Kind: ImageName, Name: "oci:app", Typed: "oci:app"}},
		{`"a\nb\u001b\""`, Source{Kind: ImageName, Name: "a\nb\x1b\"", Typed: "a\nb\x1b\""}},
	} {
		got, err := ParseSource(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseSource(%q) = %+v, %v; want %+v", c.text, got, err, c.want)
		}
	}
}

func TestParseSourceRefuses(t *testing.T) {
	for _, text := range []string{
		"", "oci:", "oci-archive::v1", "container:", "pod:", "pod:/web", "pod:a/b/", "pod:a/b/c/d", "snapshot:", "snapshot:\xff", "container:\xff", "pod:\xff",
		"\xff", `"`, `""`, `"alpine`, `"a"b`, `"\xff"`,
	} {
		if got, err := ParseSource(text); err == nil {
			t.Errorf("ParseSource(%q) = %+v, want an error", text, got)
		}
	}
}

// TestColonsInPaths prefers the longest path that is there.
func TestColonsInPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a:b.tar", "a", "c.tar", "c.tar:1"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]Source{
		"oci-archive:a:b.tar":         {Kind: OCIArchive, Name: "a:b.tar"},
		"oci-archive:a:b.tar:v1":      {Kind: OCIArchive, Name: "a:b.tar", Ref: "v1"},
		"oci-archive:a:b.tar:x.y/z:1": {Kind: OCIArchive, Name: "a:b.tar", Ref: "x.y/z:1"},
		"oci-archive:a:c":             {Kind: OCIArchive, Name: "a", Ref: "c"},
		"oci:c.tar:1":                 {Kind: OCILayout, Name: "c.tar:1"},
		"oci:c.tar:2":                 {Kind: OCILayout, Name: "c.tar", Ref: "2"},
		"oci-archive:none:b:1":        {Kind: OCIArchive, Name: "none", Ref: "b:1"},
	} {
		if got, err := ParseSource(text); err != nil || got != want {
			t.Errorf("ParseSource(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

// TestSourceString reads back what stands for an image of a store, whatever its
// name is.
func TestSourceString(t *testing.T) {
	for name, want := range map[string]string{
		"docker.io/library/alpine:3.20": "docker.io/library/alpine:3.20",
		"sha256:1f":                     "sha256:1f",
		"MyApp:1":                       "MyApp:1",
		"docker://a":                    "docker://a",
		"overlayfs@sha256:1f":           "overlayfs@sha256:1f",
		"oci":                           "oci",
		"naïve:ü":                       "naïve:ü",
		"$HOME/*":                       "$HOME/*",
		"oci:app":                       `"oci:app"`,
		"oci:":                          `"oci:"`,
		"docker-archive:-":              `"docker-archive:-"`,
		"snapshot:1":                    `"snapshot:1"`,
		"container:1":                   `"container:1"`,
		"pod:a/b/c/d":                   `"pod:a/b/c/d"`,
		"-n":                            `"-n"`,
		"a b":                           `"a b"`,
		" a":                            `" a"`,
		"a\u00a0b":                      `"a\u00a0b"`,
		"a\nb":                          `"a\nb"`,
		"\x1b[31m":                      `"\x1b[31m"`,
		`"a"`:                           `"\"a\""`,
		`a\b`:                           `"a\\b"`,
		`"`:                             `"\""`,
	} {
		got := Source{Kind: ImageName, Name: name}.String()
		if got != want {
			t.Errorf("%q is given as %s, want %s", name, got, want)
		}
		again, err := ParseSource(got)
		if err != nil || again.Kind != ImageName || again.Typed != name {
			t.Errorf("%q is read as %+v, %v", got, again, err)
		}
	}
}

// TestCheckName tells what can be pulled from what only a store can have.
func TestCheckName(t *testing.T) {
	for text, why := range map[string]string{
		"alpine": "", "a/b:1@sha256:" + strings.Repeat("a", 64): "", "registry:2": "", "docker:dind": "", "oci:/a": "", "container:A": "",
		"docker.io/library/dir:1": "", "dir": "", "sha256": "", "dir@sha256:" + strings.Repeat("a", 64): "", `"docker.io/library/oci:app"`: "",
		"MyApp:1": "must be lowercase", "a:1+2": "invalid reference format", "a b": "invalid reference format",
		strings.Repeat("a", 64): "64-byte hexadecimal", "docker://a": "invalid reference format",
		"sha256:1f": "a digest without a name", "docker-daemon:a": "another program", "containers-storage:a": "another program",
		"dir:a": "another program", "sha512:1f": "a digest without a name", `"oci:app"`: "not a whole name", `"alpine"`: "not a whole name",
	} {
		src, err := ParseSource(text)
		if err != nil {
			t.Fatal(err)
		}
		err = src.CheckName()
		if why == "" && err != nil || why != "" && (err == nil || !strings.Contains(err.Error(), why)) {
			t.Errorf("the name of %q: %v, want %q", text, err, why)
		}
	}
}

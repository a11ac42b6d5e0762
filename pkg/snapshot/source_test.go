package snapshot

import (
	"os"
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
	} {
		got, err := ParseSource(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseSource(%q) = %+v, %v; want %+v", c.text, got, err, c.want)
		}
	}
}

func TestParseSourceRefuses(t *testing.T) {
	for _, text := range []string{"", "Alpine", "oci:", "oci-archive::v1", "a b", "container:", "pod:", "pod:/web", "pod:a/b/", "pod:a/b/c/d", "snapshot:", "alpine@sha256:1"} {
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

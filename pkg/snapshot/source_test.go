package snapshot

import "testing"

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

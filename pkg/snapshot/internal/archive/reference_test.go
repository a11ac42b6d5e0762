package archive

import (
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// member is a manifest of an archive's index.
func member(content, name, ref, architecture string) ispec.Descriptor {
	d := ispec.Descriptor{Digest: digest.FromString(content), Annotations: map[string]string{}}
	if name != "" {
		d.Annotations[images.AnnotationImageName] = name
	}
	if ref != "" {
		d.Annotations[ispec.AnnotationRefName] = ref
	}
	if architecture != "" {
		d.Platform = &ispec.Platform{OS: "linux", Architecture: architecture}
	}
	return d
}

func TestReferenced(t *testing.T) {
	const a, b = "docker.io/library/a:1", "example.com/b:1"
	digestOf := func(content string) string { return digest.FromString(content).String() }
	for _, c := range []struct {
		name string
		has  []ispec.Descriptor
		ref  string
		// want is how many manifests are chosen, list what there is where none is.
		want int
		list string
	}{
		{"one", []ispec.Descriptor{member("x", a, "1", "")}, "", 1, ""},
		{"one without a name", []ispec.Descriptor{member("x", "", "", "")}, "", 1, ""},
		{"whole name", []ispec.Descriptor{member("x", a, "1", ""), member("y", b, "1", "")}, a, 1, ""},
		{"short name", []ispec.Descriptor{member("x", a, "1", ""), member("y", b, "1", "")}, "a:1", 1, ""},
		{"tag", []ispec.Descriptor{member("x", a, "one", ""), member("y", b, "two", "")}, "two", 1, ""},
		{"no such name", []ispec.Descriptor{member("x", a, "one", "")}, "none", 0, a + ", one"},
		{"several", []ispec.Descriptor{member("x", a, "", ""), member("y", b, "", "")}, "", 0, a + ", " + b},
		{"two names of one", []ispec.Descriptor{member("x", a, "", ""), member("x", b, "", "")}, "", 2, ""},
		{"platforms of one", []ispec.Descriptor{member("x", a, "", "amd64"), member("y", a, "", "arm64")}, "", 2, ""},
		{"platforms without a name", []ispec.Descriptor{member("x", "", "", "amd64"), member("y", "", "", "arm64")}, "", 2, ""},
		{"one platform twice", []ispec.Descriptor{member("x", a, "", "amd64"), member("y", a, "", "amd64")}, "", 0, digestOf("x") + ", " + digestOf("y")},
		{"several without a name", []ispec.Descriptor{member("x", "", "", "amd64"), member("y", "", "", "amd64")}, "", 0, digestOf("x") + ", " + digestOf("y")},
		{"one tag of several", []ispec.Descriptor{member("x", a, "latest", ""), member("y", b, "latest", ""), member("z", "", "other", "")}, "latest", 0, a + ", " + b},
		{"one tag of platforms", []ispec.Descriptor{member("x", a, "latest", "amd64"), member("y", a, "latest", "arm64"), member("z", b, "2", "")}, "latest", 2, ""},
		{"one name of several", []ispec.Descriptor{member("x", a, "", ""), member("y", a, "", "")}, "a:1", 0, digestOf("x") + ", " + digestOf("y")},
		{"a named one's digest", []ispec.Descriptor{member("x", a, "", ""), member("y", a, "", "")}, digestOf("y"), 1, ""},
		{"digest", []ispec.Descriptor{member("x", "", "", "amd64"), member("y", "", "", "amd64")}, digestOf("y"), 1, ""},
	} {
		got, names := Referenced(ispec.Index{Manifests: c.has}, c.ref)
		if len(got) != c.want || c.list != "" && strings.Join(names, ", ") != c.list {
			t.Errorf("%s: %d manifests of %v, want %d of %s", c.name, len(got), names, c.want, c.list)
		}
	}
}

// TestBeyond tells what one list of images has more than another.
func TestBeyond(t *testing.T) {
	const a, b, c = "docker.io/library/a:1", "docker.io/library/b:1", "docker.io/library/c:1"
	list := func(all ...ispec.Descriptor) (index ispec.Index) {
		for _, m := range all {
			m.MediaType = ispec.MediaTypeImageManifest
			index.Manifests = append(index.Manifests, m)
		}
		return index
	}
	for _, test := range []struct {
		name      string
		own, more ispec.Index
		want      string
	}{
		{"the same", list(member("x", a, "", "")), list(member("y", a, "", "")), ""},
		{"one more", list(member("x", a, "", "")), list(member("x", a, "", ""), member("y", b, "", "")), b},
		{"two more", list(member("x", a, "", "")), list(member("y", b, "", ""), member("z", c, "", ""), member("x", a, "", "")), b + ", " + c},
		{"fewer", list(member("x", a, "", ""), member("y", b, "", "")), list(member("x", a, "", "")), ""},
		{"none of all", list(), list(member("x", a, "", "")), a},
		{"another one", list(member("x", a, "", "")), list(member("y", b, "", "")), ""},
		{"two names of one", list(member("x", a, "", "")), list(member("x", a, "", ""), member("x", b, "", "")), ""},
		{"platforms of one", list(member("x", a, "", "amd64")), list(member("x", a, "", "amd64"), member("y", a, "", "arm64")), ""},
		{"a tag only", list(member("x", "", "1", "")), list(member("y", a, "1", "")), ""},
		{"one without a name", list(member("x", a, "", "")), list(member("x", a, "", ""), member("y", "", "", "")), digest.FromString("y").String()},
		{"one image, two indexes", list(member("x", a, "", ""), member("x", b, "", "")), list(member("y", a, "", ""), member("z", b, "", "")), ""},
		{"one tag of two images", list(member("x", a, "1", "")), list(member("x", a, "1", ""), member("y", b, "1", "")), b},
	} {
		if got := strings.Join(Beyond(test.own, test.own, test.more), ", "); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

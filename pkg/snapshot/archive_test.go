package snapshot

import (
	"context"
	"errors"
	"io"
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
		// want is how many manifests are chosen, or what is listed.
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
		{"one platform twice", []ispec.Descriptor{member("x", a, "", "amd64"), member("y", a, "", "amd64")}, "", 0, a},
		{"several without a name", []ispec.Descriptor{member("x", "", "", "amd64"), member("y", "", "", "amd64")}, "", 0, digestOf("x") + ", " + digestOf("y")},
		{"digest", []ispec.Descriptor{member("x", "", "", "amd64"), member("y", "", "", "amd64")}, digestOf("y"), 1, ""},
	} {
		got, err := referenced(ispec.Index{Manifests: c.has}, Source{Name: "f.tar", Ref: c.ref})
		var reference *ReferenceError
		switch {
		case c.list != "" && (!errors.As(err, &reference) || strings.Join(reference.Have, ", ") != c.list):
			t.Errorf("%s: %d manifests and %v, want an error that lists %s", c.name, len(got), err, c.list)
		case c.list == "" && (err != nil || len(got) != c.want):
			t.Errorf("%s: %d manifests and %v, want %d", c.name, len(got), err, c.want)
		}
	}
}

func TestCancellable(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	still, w := io.Pipe()
	t.Cleanup(func() { w.Close() }) //nolint:errcheck // it never fails
	r := cancellable(ctx, still)
	defer r.Close()
	cancel(cause)
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	whole := cancellable(context.Background(), strings.NewReader("all"))
	if got, err := io.ReadAll(whole); err != nil || string(got) != "all" {
		t.Errorf("read %q and %v", got, err)
	}
}

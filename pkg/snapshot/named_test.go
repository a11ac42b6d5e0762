package snapshot

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestExactNameFirst asks a store for images by names that it has, that normalising
// leads to, and that neither of them is.
func TestExactNameFirst(t *testing.T) {
	s, err := Open(t.Context(), Options{Location: Location{Dir: filepath.Join(t.TempDir(), "store")}})
	if err != nil {
		t.Fatal(err)
	}
	made := documents{}
	config := made.add(ispec.MediaTypeImageConfig, []byte(`{"os":"linux","architecture":"amd64"}`))
	image := made.add(ispec.MediaTypeImageManifest, []byte(`{"config":`+described(config)+`}`))
	absent := ispec.Descriptor{MediaType: ispec.MediaTypeImageManifest, Digest: digest.FromString("absent"), Size: 6}
	const whole = "docker.io/library/stored:1"
	digested := "overlayfs@" + image.Digest.String()
	err = s.with(t.Context(), func(ctx context.Context, sess *session) error {
		for d, data := range made {
			if err := content.WriteBlob(ctx, sess.client.ContentStore(), d.String(), strings.NewReader(string(data)), ispec.Descriptor{Digest: d, Size: int64(len(data))}); err != nil {
				return err
			}
		}
		for name, target := range map[string]ispec.Descriptor{
			whole: image, "alias": image, "docker.io/library/alias:latest": absent, "MyApp:1": image, "Absent:1": absent,
			"oci:app": image, "cut": absent, "a b": image, digested: image, "sha256:1f": image,
		} {
			if _, err := sess.client.ImageService().Create(ctx, images.Image{Name: name, Target: target}); err != nil {
				return err
			}
		}
		find := func(text string, pull Pull) (*Image, error) {
			src, err := ParseSource(text)
			if err != nil {
				t.Fatal(err)
			}
			want, err := platform("linux/amd64")
			if err != nil {
				t.Fatal(err)
			}
			return s.named(ctx, sess, Request{Source: src, Pull: pull}, want)
		}
		checkNames(t, find, map[string]string{
			"stored:1": whole, whole: whole, "stored@" + image.Digest.String(): whole, digested: digested,
			"alias": "alias", `"alias"`: "alias", "MyApp:1": "MyApp:1", `"MyApp:1"`: "MyApp:1", `"oci:app"`: "oci:app",
			"a b": "a b", "sha256:1f": "sha256:1f",
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkNames finds images by what stands for them, and others not.
func checkNames(t *testing.T, find func(string, Pull) (*Image, error), there map[string]string) {
	t.Helper()
	for text, name := range there {
		if image, err := find(text, PullNever); err != nil || image.Name != name {
			t.Errorf("%q gives %+v, %v; want %q", text, image, err, name)
		}
	}
	var (
		missing    *MissingError
		unpullable *NameError
		incomplete *IncompleteError
	)
	for text, want := range map[string]any{
		"stored": &missing, "myapp:1": &missing, "stored@" + digest.FromString("absent").String(): &missing,
		"MyApp:2": &unpullable, "sha256:2f": &unpullable, `"stored:1"`: &unpullable, "docker://stored:1": &unpullable,
		"library/alias": &incomplete, "Absent:1": &incomplete, "cut": &incomplete,
	} {
		for _, pull := range []Pull{PullNever, PullMissing} {
			if pull == PullMissing && (want == &missing || text == "library/alias") {
				continue // it would be pulled
			}
			if image, err := find(text, pull); !errors.As(err, want) || !errors.Is(err, ErrNotFound) {
				t.Errorf("%q gives %+v, %v; want a %T that is ErrNotFound", text, image, err, want)
			}
		}
	}
	for _, text := range []string{"MyApp:1", `"oci:app"`, `"alias"`, "Absent:1", "sha256:1f"} {
		if image, err := find(text, PullAlways); !errors.As(err, &unpullable) || errors.Is(err, ErrNotFound) {
			t.Errorf("to pull %q always gives %+v, %v; want a NameError alone", text, image, err)
		}
	}
}

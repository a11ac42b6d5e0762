package ocispec

import "testing"

// TestCheckContainer: a container's root lies anywhere on its host, or is not
// said; in a bundle it is beside config.json. What else is wrong stays wrong.
func TestCheckContainer(t *testing.T) {
	for text, readonly := range map[string]bool{
		`{"ociVersion":"1.0.2","root":{"path":"/run/containerd/web/rootfs","readonly":true}}`: true,
		`{"ociVersion":"1.0.2","root":{"path":"rootfs"}}`:                                     false,
		`{"ociVersion":"1.0.2"}`: false,
	} {
		spec, err := CheckContainer([]byte(text))
		if err != nil || spec.Root.Path != RootPath || spec.Root.Readonly != readonly {
			t.Errorf("CheckContainer(%s) = %+v, %v", text, spec, err)
		}
	}
	for _, text := range []string{`{"root":{"path":"/a"}}`, `{"ociVersion":"1.0.2","process":{"cwd":"a","args":["x"]}}`, `[]`} {
		if _, err := CheckContainer([]byte(text)); err == nil {
			t.Errorf("CheckContainer(%s) gave no error", text)
		}
	}
}

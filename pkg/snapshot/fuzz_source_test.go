package snapshot

import (
	"strings"
	"testing"
)

// FuzzSource holds that a SOURCE is refused in one line, or is one that says
// what it is and reads the same again.
func FuzzSource(f *testing.F) {
	for _, text := range []string{"alpine", "a/b:1@sha256:" + strings.Repeat("a", 64), "oci:/a:b", "docker-archive:-", "pod:ns/pod/c", "container:", "snapshot:sha256:1", "Alpine", `"oci:a b"`, "docker://a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		source, err := ParseSource(text)
		if err != nil {
			return
		}
		if source.Name == "" {
			t.Errorf("ParseSource(%q) has no name: %+v", text, source)
		}
		if source.Kind != ImageName {
			return
		}
		// A store is asked for that very name first.
		again, err := ParseSource(source.String())
		if err != nil || again.Kind != ImageName || again.Typed != source.Name {
			t.Errorf("ParseSource(%q) gives %q, and of that %+v, %v", text, source, again, err)
		}
		if source.CheckName() == nil && again.Name != source.Name {
			t.Errorf("ParseSource(%q) gives %q to pull, and of that %q", text, source.Name, again.Name)
		}
	})
}

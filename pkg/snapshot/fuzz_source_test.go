package snapshot

import (
	"strings"
	"testing"
)

// FuzzSource holds that a SOURCE is refused in one line, or is one that says
// what it is and reads the same again.
func FuzzSource(f *testing.F) {
	for _, text := range []string{"alpine", "a/b:1@sha256:" + strings.Repeat("a", 64), "oci:/a:b", "docker-archive:-", "pod:ns/pod/c", "container:", "snapshot:sha256:1"} {
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
		if again, err := ParseSource(source.Name); err != nil || again.Name != source.Name {
			t.Errorf("ParseSource(%q) gives %q, and of that %q, %v", text, source.Name, again.Name, err)
		}
	})
}

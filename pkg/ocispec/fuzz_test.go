package ocispec

import (
	"path"
	"testing"
)

// FuzzParseMount holds that what is taken for a mount has a place in the root.
func FuzzParseMount(f *testing.F) {
	for _, text := range []string{"type=bind,source=/a,target=/b,readonly", "/a:/b:ro", "type=tmpfs,dst=/t,tmpfs-size=1g", "a:b:c:d", `"type=bind",`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mount, err := ParseMount(text)
		if err == nil && !path.IsAbs(mount.Destination) {
			t.Errorf("ParseMount(%q) has the destination %q", text, mount.Destination)
		}
	})
}

// FuzzParseMemory holds that memory is a number of bytes that there can be.
func FuzzParseMemory(f *testing.F) {
	for _, text := range []string{"512m", "1GiB", "9223372036854775807", "1e9", "-1", "99999999999t"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if bytes, err := ParseMemory(text); err == nil && bytes <= 0 {
			t.Errorf("ParseMemory(%q) = %d", text, bytes)
		}
	})
}

// FuzzParseSeccomp holds that a profile is refused, or says what it does where
// no rule matches.
func FuzzParseSeccomp(f *testing.F) {
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}`))
	f.Add([]byte(`{"archMap":[{"architecture":"SCMP_ARCH_X86_64"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if profile, err := ParseSeccomp(data); err == nil && profile.DefaultAction == "" {
			t.Errorf("ParseSeccomp(%q) has no default action", data)
		}
	})
}

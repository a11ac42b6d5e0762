package export_test

import (
	"encoding/binary"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

var (
	shiftedUIDs = []rspec.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}, {ContainerID: 5000, HostID: 300000, Size: 1}}
	shiftedGIDs = []rspec.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 65536}}
)

func TestOwners(t *testing.T) {
	for _, c := range []struct {
		uid, gid uint32
		want     string // the owner, or what the error says
	}{
		{100000, 200000, " 0:0 "},
		{100999, 265535, " 999:65535 "},
		{300000, 200001, " 5000:1 "},
		{0, 200000, `mapping the owner of "f" back: uid 0 is outside of the user namespace`},
		{101000, 200000, `mapping the owner of "f" back: uid 101000 is outside`},
		{300001, 200000, `uid 300001`},
		{100000, 199999, `mapping the group of "f" back: gid 199999`},
		{1<<32 - 2, 200000, `uid 4294967294`},
	} {
		e := exporttest.File("f", "")
		e.UID, e.GID = c.uid, c.gid
		lines, err := exporttest.List(t.Context(), export.Owners(exporttest.New(e), shiftedUIDs, shiftedGIDs))
		got := strings.Join(lines, "")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%d:%d gave %q, want %q", c.uid, c.gid, got, c.want)
		}
	}
}

// TestOwnersOfAttributes maps the ids that lists and capabilities hold.
func TestOwnersOfAttributes(t *testing.T) {
	words := func(values ...uint32) []byte {
		var out []byte
		for _, v := range values {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
		return out
	}
	// Each entry of a list is a tag, its permissions in the upper half, and an id.
	const none, rw = 1<<32 - 1, 6 << 16
	for name, c := range map[string]struct {
		attr      string
		have      []byte
		want      []byte
		wantError string
	}{
		"list": {
			attr: "system.posix_acl_access",
			have: words(2, 0x01|rw, none, 0x02|rw, 100007, 0x04|rw, none, 0x08|rw, 200042, 0x20, none),
			want: words(2, 0x01|rw, none, 0x02|rw, 7, 0x04|rw, none, 0x08|rw, 42, 0x20, none),
		},
		"list, outside": {
			attr: "system.posix_acl_default", have: words(2, 0x02|rw, 7),
			wantError: `mapping attribute "system.posix_acl_default" of "f" back: 7 is outside`,
		},
		"capability of the namespace's root": {
			attr: "security.capability", have: words(0x03000001, 1<<13, 0, 0, 0, 100000), want: words(0x02000001, 1<<13, 0, 0, 0),
		},
		"capability of another root": {
			attr: "security.capability", have: words(0x03000001, 1<<13, 0, 0, 0, 100005), want: words(0x03000001, 1<<13, 0, 0, 0, 5),
		},
		"capability of the host": {
			attr: "security.capability", have: words(0x02000001, 1<<13, 0, 0, 0), want: words(0x02000001, 1<<13, 0, 0, 0),
		},
		"anything": {attr: "user.a", have: words(100000), want: words(100000)},
	} {
		t.Run(name, func(t *testing.T) {
			e := exporttest.WithXattrs(exporttest.File("f", ""), export.Xattr{Name: c.attr, Value: c.have})
			e.UID, e.GID = 100000, 200000
			found, err := export.Owners(exporttest.New(e), shiftedUIDs, shiftedGIDs).Lookup(t.Context(), "f")
			must(t, err)
			attrs, err := found.Xattrs(t.Context())
			if c.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantError) {
					t.Errorf("error %v, want %q", err, c.wantError)
				}
				return
			}
			must(t, err)
			if string(attrs[0].Value) != string(c.want) {
				t.Errorf("% x became % x, want % x", c.have, attrs[0].Value, c.want)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

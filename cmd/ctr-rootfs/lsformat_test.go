package main

import (
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

func TestPermissions(t *testing.T) {
	for mode, want := range map[uint32]string{
		0o755: "rwxr-xr-x", 0o4755: "rwsr-xr-x", 0o2755: "rwxr-sr-x", 0o1777: "rwxrwxrwt",
		0o7000: "--S--S--T", 0: "---------", 0o644: "rw-r--r--",
	} {
		if got := permissions(mode); got != want {
			t.Errorf("permissions(%04o) = %q, want %q", mode, got, want)
		}
	}
}

func TestLsLine(t *testing.T) {
	when := time.Date(2021, 3, 4, 5, 6, 7, 8, time.UTC)
	for _, c := range []struct {
		record export.Record
		want   string
	}{
		{export.Record{Entry: &export.Entry{Path: "etc", Type: export.Directory, Mode: 0o755, MTime: when}},
			"drwxr-xr-x 0/0                  0 2021-03-04 05:06:07 etc/"},
		{export.Record{Entry: &export.Entry{Path: "a\nb", Type: export.Regular, Mode: 0o600, Size: 12, UID: 1, GID: 2, MTime: when}},
			`-rw------- 1/2                 12 2021-03-04 05:06:07 "a\nb"`},
		{export.Record{Entry: &export.Entry{Path: "l", Type: export.Symlink, Mode: 0o777, Target: "t", MTime: when}},
			"lrwxrwxrwx 0/0                  0 2021-03-04 05:06:07 l -> t"},
		{export.Record{Entry: &export.Entry{Path: "h", Type: export.Regular, Mode: 0o644, Size: 5, MTime: when}, LinkTo: "a"},
			"hrw-r--r-- 0/0                  0 2021-03-04 05:06:07 h link to a"},
		{export.Record{Entry: &export.Entry{Path: "n", Type: export.CharDevice, Mode: 0o666, RdevMajor: 1, RdevMinor: 3, MTime: when}},
			"crw-rw-rw- 0/0                1,3 2021-03-04 05:06:07 n"},
	} {
		got, err := lsLine(nil, &c.record)
		if err != nil || string(got) != c.want {
			t.Errorf("lsLine =\n%q, %v; want\n%q", got, err, c.want)
		}
	}
}

func TestLsJSONKeepsBytes(t *testing.T) {
	r := export.Record{
		Entry: &export.Entry{Path: "a\xff", Type: export.Regular, Mode: 0o600, MTime: time.Unix(-1, 5)},
		Attrs: []export.Xattr{{Name: "user.\xfe", Value: []byte{0}}},
	}
	got, err := lsJSON(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"pathBytes":"Yf8="`, `"nameBytes":"dXNlci7+"`, `"value":"AA=="`, `"mtime":"1969-12-31T23:59:59.000000005Z"`, `"type":"file"`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("lsJSON = %s, without %s", got, want)
		}
	}
}

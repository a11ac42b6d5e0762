package ocispec

import (
	"reflect"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestCheck(t *testing.T) {
	const head = `{"ociVersion":"1.0.2","root":{"path":"rootfs"}`
	for _, c := range []struct{ in, fails string }{
		{head + `}`, ""},
		{head + `,"unknown":{"a":[1]},"linux":{"unknown":1}}` + "\n", ""},
		{`{"ociVersion":"1.3.0","root":{"path":"./rootfs/"}}`, ""},
		{head + `,"process":{"cwd":"/","args":["a"],"user":{"uid":0,"gid":0}}}`, ""},
		{"", "reading JSON at line 1 column 1: unexpected end of JSON input"},
		{"{\n\t\"ociVersion\": \"1.0.2\",\n}", "reading JSON at line 3 column 1: invalid character '}'"},
		{"{\"ociVersion\":\"1.0.2\",\n\"root\":", "reading JSON at line 2 column 7: unexpected end"},
		{head + "} x", "reading JSON at line 1 column 49: invalid character 'x'"},
		{"\xef\xbb\xbf{}", "reading JSON at line 1 column 1: invalid character"},
		{"{\n\"hostname\":\"\xff\"}", "reading JSON at line 2 column 13: not UTF-8"},
		{"{\n \"ociVersion\": 1\n}", "reading JSON at line 2 column 16: ociVersion: want string, not number"},
		{"{\"process\":\n{\"user\":{\"uid\":-1}}}", "reading JSON at line 2 column 17: process.user.uid: want uint32, not number -1"},
		{"{\"mounts\":\n{}}", "reading JSON at line 2 column 1: mounts: want array, not object"},
		{`[]`, "reading JSON at line 1 column 1: "},
		{" null", "want an object"},
		{`{}`, `reading ociVersion "": want MAJOR.MINOR.PATCH`},
		{`{"ociVersion":"1","root":{"path":"rootfs"}}`, `reading ociVersion "1"`},
		{`{"ociVersion":"1.0.2"}`, "reading root: missing"},
		{`{"ociVersion":"1.0.2","root":{}}`, `reading root.path ""`},
		{`{"ociVersion":"1.0.2","root":{"path":"/srv/rootfs"}}`, `reading root.path "/srv/rootfs": the bundle's root filesystem is "rootfs"`},
		{`{"ociVersion":"1.0.2","root":{"path":"../rootfs"}}`, `reading root.path "../rootfs"`},
		{head + `,"process":{"args":["a"]}}`, `reading process.cwd "": not an absolute path`},
		{head + `,"process":{"cwd":"/"}}`, "reading process.args: empty"},
		{head + `,"process":{"cwd":"/","args":["a"],"rlimits":[{}]}}`, "reading process.rlimits[0].type: missing"},
		{head + `,"mounts":[{"destination":"/a"},{}]}`, "reading mounts[1].destination: missing"},
		{head + `,"annotations":{"":"x"}}`, "a key is empty"},
		{head + `,"hooks":{"poststop":[{"path":"x"}]}}`, `reading a hook's path "x"`},
		{head + `,"linux":{"namespaces":[{"type":"pid"},{"type":"disk"}]}}`, `reading linux.namespaces[1].type "disk": unknown`},
		{head + `,"linux":{"namespaces":[{"type":"pid"},{"type":"pid"}]}}`, "a second time"},
		{head + `,"linux":{"seccomp":{"defaultAction":"x"}}}`, `seccomp defaultAction "x"`},
	} {
		_, err := Check([]byte(c.in))
		if c.fails != "" {
			wantError(t, c.in, err, c.fails)
		} else if err != nil {
			t.Errorf("%q: %v", c.in, err)
		}
	}
}

// FuzzCheck holds that Check never panics and that what it accepts stays
// accepted, and the same, after Marshal.
func FuzzCheck(f *testing.F) {
	spec, err := New(testImage(ispec.ImageConfig{}), Accounts{}, Options{Seccomp: SeccompDefault})
	if err != nil {
		f.Fatal(err)
	}
	full, err := Marshal(spec)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"mounts":[{"destination":"a"}]}`))
	f.Add([]byte("{\n\"root\": 5"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := Check(data)
		if err != nil {
			return
		}
		for _, p := range MountPoints(spec) {
			if p.Path == "" || p.Path[0] == '/' {
				t.Errorf("mount point %q", p.Path)
			}
		}
		text, err := Marshal(spec)
		if err != nil {
			t.Fatalf("Marshal of what was accepted: %v", err)
		}
		again, err := Check(text)
		if err != nil {
			t.Fatalf("Check of what Marshal wrote: %v", err)
		}
		if second, err := Marshal(again); err != nil || !reflect.DeepEqual(second, text) {
			t.Errorf("Marshal, Check, Marshal: %v\n%s\n%s", err, text, second)
		}
	})
}

// FuzzResolveUser holds that any bytes as passwd, group and user give ids
// within bounds or an error of one line, and no panic.
func FuzzResolveUser(f *testing.F) {
	for _, user := range []string{"app", "1000", "app:web", "0:0", "", ":", "-1", "max"} {
		f.Add([]byte(testPasswd), []byte(testGroup), user)
	}
	f.Fuzz(func(t *testing.T, passwd, group []byte, user string) {
		for _, mode := range []UserGroups{UserGroupsSpec, UserGroupsDocker} {
			id, err := resolveUser(user, mode, Accounts{Passwd: passwd, Group: group})
			if err != nil {
				wantError(t, user, err, " ")
				continue
			}
			for _, n := range append(id.groups, id.uid, id.gid) {
				if n > maxID {
					t.Errorf("user %q: id %d", user, n)
				}
			}
			if id.home == "" {
				t.Errorf("user %q: no home", user)
			}
		}
	})
}

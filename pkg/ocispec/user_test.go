package ocispec

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const testPasswd = `# a comment, then a blank line

root:x:0:0:root:/root:/bin/sh
app:x:1000:1001:App:/home/app:/bin/sh
app:x:7:7:the second one:/no:/bin/sh
homeless:x:1002:1002::
123:x:1003:1003::/home/number:
  indented:x:1004:1004::/home/indented:/bin/sh` + "\r" + `
max:x:2147483647:2147483647::/:
over:x:2147483648:0::/:
negative:x:-1:0::/:
short:x
text:x:1005:gid::/:
nogid:x:1010
nogid2:x:1011::/home/nogid2:/bin/sh
nogid3:x:1012:
nogid4:x:1013::g:/h4:
emptyuid:x::5::/:
spaced:x: 1014:5::/:
alone
many:x:1015:1016::/many:/bin/sh:more:fields
plus:x:+5:0::/:
+::::::
` + "\xff\xfe:x:1006:1006::/\xff:\n"

const testGroup = `root:x:0:root
app:x:1001:
web:x:33:other,app
audio:x:29:app
web2:x:33: app ,x
appendix:x:50:appendix,myapp
over:x:4294967295:
text:x:abc:
adm:x:4:root
longest:x:60`

func testAccounts() Accounts {
	return Accounts{Passwd: []byte(testPasswd), Group: []byte(testGroup)}
}

// TestConfigUser is conversion.md, Config.User, and the grammar of config.md.
func TestConfigUser(t *testing.T) {
	for _, c := range []struct {
		user             string
		mode             UserGroups
		want             string // uid:gid[additional]home
		specNeedsLookups bool   // with HOME set
	}{
		{"", "", "0:0[]/root", false},
		{"", "spec", "0:0[]/root", false},
		{"", "docker", "0:0[0 4]/root", false},
		{"0", "", "0:0[]/root", true},
		{"1000", "", "1000:1001[]/home/app", true},
		{"1000", "docker", "1000:1001[33 29]/home/app", true},
		{"4242", "", "4242:0[]/", true},
		{"4242", "docker", "4242:0[]/", true},
		{"007", "", "7:7[]/no", true},
		{"app", "", "1000:1001[33 29]/home/app", true},
		{"app", "docker", "1000:1001[33 29]/home/app", true},
		{"app:", "", "1000:1001[33 29]/home/app", true},
		{"app:web", "", "1000:33[]/home/app", true},
		{"app:web", "docker", "1000:33[]/home/app", true},
		{"app:5", "", "1000:5[]/home/app", true},
		{"1000:web", "", "1000:33[]/home/app", true},
		{"1000:5", "", "1000:5[]/home/app", false},
		{"4242:4243", "docker", "4242:4243[]/", false},
		{"2147483647:2147483647", "", "2147483647:2147483647[]/", false},
		{"max", "", "2147483647:2147483647[]/", true},
		{"homeless", "", "1002:1002[]/", true},
		{"indented", "", "1004:1004[]/home/indented", true},
		{"nogid", "", "1010:0[]/", true},
		{"nogid:", "", "1010:0[]/", true},
		{"nogid:web", "", "1010:33[]/", true},
		{"1010", "docker", "1010:0[]/", true},
		{"nogid2", "", "1011:0[]/bin/sh", true}, // fields count from the left, as for everybody
		{"1011", "", "1011:0[]/bin/sh", true},
		{"nogid3", "", "1012:0[]/", true},
		{"nogid4", "", "1013:0[]/h4", true},
		{"many", "", "1015:1016[]/many", true},
		{"1000:", "", "1000:1001[]/home/app", true},
		{"123", "", "123:0[]/", true}, // a number, though someone has it as name
	} {
		id, err := resolveUser(c.user, c.mode, testAccounts())
		if err != nil {
			t.Errorf("user %q (%s): %v", c.user, c.mode, err)
			continue
		}
		got := fmt.Sprintf("%d:%d%v%s", id.uid, id.gid, id.groups, id.home)
		if got != c.want {
			t.Errorf("user %q (%s): got %s, want %s", c.user, c.mode, got, c.want)
		}
		img := testImage(ispec.ImageConfig{User: c.user, Env: []string{"HOME=/"}})
		if got := NeedsAccounts(img, Options{}); got != c.specNeedsLookups {
			t.Errorf("NeedsAccounts of user %q: got %v", c.user, got)
		}
	}
}

func TestConfigUserErrors(t *testing.T) {
	for _, c := range []struct{ user, want string }{
		{"nobody", `looking up user "nobody" in etc/passwd: not found`},
		{"App", `looking up user "App" in etc/passwd: not found`},
		{"app:nobody", `looking up group "nobody" in etc/group: not found`},
		{"5:nobody", `looking up group "nobody" in etc/group: not found`},
		{"over", `looking up user "over" in etc/passwd: reading etc/passwd line 10: uid "2147483648": want a number from 0 to 2147483647`},
		{"negative", `line 11: uid "-1"`},
		{"short", `line 12: uid ""`},
		{"text", `line 13: gid "gid"`},
		{"plus", `line 22: uid "+5"`},
		{"emptyuid", `line 18: uid ""`},
		{"spaced", `line 19: uid " 1014"`},
		{"alone", `line 20: uid ""`},
		{":5", `reading user ":5": want user, or user:group`},
		{"app ", `looking up user "app " in etc/passwd: not found`},
		{"app:over", `looking up group "over" in etc/group: reading etc/group line 7: gid "4294967295"`},
		{"app:text", `gid "abc"`},
		{"2147483648", `reading user "2147483648": out of range 0 to 2147483647`},
		{"-1", `reading user "-1": out of range`},
		{"99999999999999999999999", `out of range`},
		{"0:2147483648", `reading group "2147483648": out of range`},
		{":", `reading user ":": want user, or user:group`},
		{":0", `reading user ":0"`},
		{"app:web:x", `reading user "app:web:x"`},
		{"1_0", `looking up user "1_0" in etc/passwd: not found`},
		{"0x0", `looking up user "0x0" in etc/passwd: not found`},
		{" app", `looking up user " app" in etc/passwd: not found`},
	} {
		_, err := resolveUser(c.user, "", testAccounts())
		wantError(t, c.user, err, c.want)
	}
	_, err := resolveUser("app", "", Accounts{})
	wantError(t, "no passwd", err, `looking up user "app" in etc/passwd: no such file`)
	_, err = resolveUser("app:web", "", Accounts{Passwd: []byte(testPasswd)})
	wantError(t, "no group", err, `looking up group "web" in etc/group: no such file`)
	_, err = resolveUser("app", "", Accounts{Passwd: []byte(testPasswd), Group: []byte("a:x:y:app\n")})
	wantError(t, "bad group", err, `reading etc/group line 1: gid "y"`)
}

func TestUserOptionReplacesTheImages(t *testing.T) {
	img := testImage(ispec.ImageConfig{User: "nobody"})
	spec := mustNew(t, img, testAccounts(), Options{User: "app"})
	u := spec.Process.User
	if u.UID != 1000 || u.GID != 1001 || !reflect.DeepEqual(u.AdditionalGids, []uint32{33, 29}) {
		t.Errorf("user app over nobody: got %+v", u)
	}
	equal(t, "HOME", spec.Process.Env[1], "HOME=/home/app")
}

func TestNeedsAccounts(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want bool
	}{
		{"HOME has to be found", Options{User: "1:1"}, true},
		{"HOME is given", Options{User: "1:1", Env: []string{"HOME=/"}}, false},
		{"HOME is removed", Options{User: "1:1", Env: []string{"HOME"}}, false},
		{"docker's root has groups", Options{Env: []string{"HOME=/"}, UserGroups: UserGroupsDocker}, true},
		{"root has none", Options{Env: []string{"HOME=/"}}, false},
	} {
		if got := NeedsAccounts(testImage(ispec.ImageConfig{}), c.o); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestAccountsAreBounded(t *testing.T) {
	big := bytes.Repeat([]byte("x"), MaxAccountsFile+1)
	_, err := resolveUser("0:0", "", Accounts{Passwd: big})
	wantError(t, "passwd", err, "reading etc/passwd: over 8388608 bytes")
	_, err = resolveUser("0:0", "", Accounts{Group: big})
	wantError(t, "group", err, "reading etc/group: over 8388608 bytes")

	// One line of the whole limit, of colons or of members, is an entry like
	// any other.
	colons := append([]byte("app:x:5:6:"), bytes.Repeat([]byte(":"), MaxAccountsFile-10)...)
	members := []byte("g:x:9:" + strings.Repeat("a,", MaxAccountsFile/2-8) + "app\n")
	id, err := resolveUser("app", "", Accounts{Passwd: colons, Group: members})
	if err != nil || id.uid != 5 || id.gid != 6 || !reflect.DeepEqual(id.groups, []uint32{9}) {
		t.Errorf("long lines: got %+v, %v", id, err)
	}

	var many bytes.Buffer
	for gid := range maxGroups + 1 {
		fmt.Fprintf(&many, "g%d:x:%d:app\n", gid, gid)
	}
	_, err = resolveUser("app", "", Accounts{Passwd: []byte(testPasswd), Group: many.Bytes()})
	wantError(t, "many groups", err, `user "app": in over 65536 groups`)
}

func TestHomeMustBeText(t *testing.T) {
	_, err := New(testImage(ispec.ImageConfig{User: "1006"}), testAccounts(), Options{})
	wantError(t, "home", err, `writing env "HOME=/\xff": not UTF-8`)
}

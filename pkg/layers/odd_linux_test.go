package layers

import (
	"os"
	"strings"
	"testing"
)

// TestOddLayersAsView has layers that nobody writes on purpose. Where they are
// unpacked at all, a view and the merge show the same.
func TestOddLayersAsView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners and devices, and mounting an overlay, need root")
	}
	for _, c := range []struct {
		name   string
		layers []layer
	}{
		{"dup dirs with files between", []layer{{dir("d", 0o700), file("d/x", "1"), dir("d", 0o711).own(1, 1), file("d/x", "2"), dir("d", 0o755)}}},
		{"dir by symlink same layer", []layer{{dir("e", 0o755), dir("d", 0o700), file("d/x", "1"), symlink("d", "e"), file("d/y", "2")}}},
		{"dir by symlink upper, file through it", []layer{{dir("e", 0o755), dir("d", 0o700), file("d/x", "1")}, {symlink("d", "e"), file("d/y", "2")}}},
		{"dir by symlink upper2, file through it w/o e", []layer{{dir("e", 0o711).own(2, 3), dir("d", 0o700), file("d/x", "1")}, {symlink("d", "e")}, {file("d/y", "2")}}},
		{"symlink lower, opaque upper", []layer{{dir("e", 0o711), file("e/a", "1"), symlink("d", "e")}, {opaque("d"), file("d/y", "2")}}},
		{"symlink lower, whiteout through", []layer{{dir("e", 0o711), file("e/a", "1"), symlink("d", "e")}, {file("d/.wh.a", "")}}},
		{"symlink of same layer, whiteout through", []layer{{dir("e", 0o711), file("e/a", "1")}, {symlink("d", "e"), file("d/.wh.a", "")}}},
		{"symlink of same layer, opaque through", []layer{{dir("e", 0o711), file("e/a", "1")}, {symlink("d", "e"), opaque("d"), file("e/b", "2")}}},
		{"whiteout of symlink", []layer{{dir("e", 0o711), symlink("d", "e")}, {file(".wh.d", "")}, {file("d/x", "1")}}},
		{"whiteout of one link", []layer{{file("a", "1"), link("b", "a"), link("c", "b")}, {file(".wh.b", "")}, {file("b", "2")}}},
		{"whiteout of dir type", []layer{{file("a", "1")}, {dir(".wh.a", 0o755)}}},
		{"whiteout of link type", []layer{{file("a", "1")}, {link(".wh.a", "nothing")}}},
		{"whiteout of symlink type", []layer{{file("a", "1")}, {symlink(".wh.a", "nothing")}}},
		{"opaque as dir", []layer{{dir("d", 0o755), file("d/a", "1")}, {dir("d", 0o700), dir("d/.wh..wh..opq", 0o755)}}},
		{"opaque of unnamed missing dir", []layer{{file("a", "1")}, {opaque("x/y")}}},
		{"opaque of what is a file below", []layer{{file("x", "1")}, {opaque("x")}}},
		{"path through whiteout name", []layer{{file("a", "1")}, {file(".wh.a/x", "1")}}},
		{"path through whiteout name, lowest", []layer{{file(".wh.a/x", "1")}, {file("b", "")}}},
		{"whiteout in whiteout dir", []layer{{file(".wh.a/x", "1")}, {file(".wh.a/.wh.x", "")}}},
		{"aufs file", []layer{{file("a", "1")}, {file(".wh..wh.aufs", "")}}},
		{"aufs nested file", []layer{{file("d/a", "1")}, {file("d/.wh..wh.aufs", "")}}},
		{"aufs dir", []layer{{file("a", "1")}, {dir(".wh..wh.plnk", 0o700)}}},
		{"aufs lowest", []layer{{file("a", "1"), file(".wh..wh.aufs", "")}, {file("b", "")}}},
		{"root symlink entry", []layer{{symlink("/", "a"), file(".", ""), file("a", "")}}},
		{"dotdot", []layer{{file("a/../../b", "1"), file("../../../c", "2"), dir("..", 0o700), file(".../d", "3"), file("x/./y//z", "4")}}},
		{"dotdot through symlink", []layer{{dir("e/f", 0o755), symlink("s", "e/f"), file("s/../g", "1")}}},
		{"symlink with dotdot", []layer{{dir("e/f", 0o755), symlink("s", "e/f/../../../.."), file("s/g", "1")}}},
		{"symlink to self name file", []layer{{symlink("s", "."), file("s/g", "1"), file("s/s/h", "2")}}},
		{"symlink to missing", []layer{{symlink("s", "no/such"), file("s/g", "1")}}},
		{"symlink to missing over layers", []layer{{symlink("s", "no/such")}, {file("s/g", "1")}}},
		{"link over itself chain", []layer{{file("a", "1"), link("b", "a"), link("a", "b")}}},
		{"link to symlink then replaced", []layer{{symlink("s", "t"), link("m", "s"), file("s", "1")}, {file(".wh.m", "")}}},
		{"link through symlink target", []layer{{dir("d", 0o755), file("d/f", "1"), symlink("s", "d"), link("g", "s/f"), link("h", "/s/./f")}}},
		{"setuid link", []layer{{file("a", "1"), link("b", "a").own(4, 5)}, {dir("s", 0o6777), file("s/a", "1"), file("s/d/e/f", "2")}, {file("s/d/e/g", "")}}},
		{"sticky dir again", []layer{{dir("s", 0o1777).own(1, 1).xattr("user.a", "1")}, {dir("s", 0o1777)}, {opaque("s")}, {file("s/x", "")}}},
		{"dir replaced by file and back in one layer", []layer{{dir("d", 0o755), file("d/old", "")}, {file("d", "1"), dir("d", 0o711), file("d/new", "")}}},
		{"dir replaced by file and back implied", []layer{{dir("d", 0o700).own(1, 2), file("d/old", "")}, {file("d", "1")}, {file("d/new", "")}}},
		{"symlink replaced and back in one layer", []layer{{dir("d", 0o700).own(1, 2), file("d/old", "")}, {symlink("d", "x"), dir("d", 0o711), file("d/new", "")}}},
		{"fifo over dir", []layer{{dir("d", 0o700), file("d/old", "")}, {fifo("d")}, {dir("d", 0o755)}}},
		{"file then dir then whiteout of inner", []layer{{dir("d", 0o700), file("d/a", ""), file("d/b", "")}, {file("d/.wh.a", ""), file("d/.wh.b", ""), file("d/.wh.c", "")}}},
		{"repeated opaque", []layer{{file("d/a", "")}, {opaque("d"), opaque("d"), file("d/x", ""), opaque("d")}}},
		{"name of 255", []layer{{file(strings.Repeat("n", 255), "1"), file("d/"+strings.Repeat("n", 255)+"/x", "1")}}},
		{"mode with type bits", []layer{{func() item { i := file("a", "1"); i.Mode = 0o170644; return i }(), func() item { i := dir("d", 0o40755); return i }()}}},
		{"xattr dup on dir", []layer{{dir("d", 0o755).xattr("user.a", "1")}, {dir("d", 0o755).xattr("user.b", "2"), file("d/x", "")}, {file("d/y", ""), dir("d", 0o700).xattr("user.c", "2")}}},
		{"whiteout of upper symlink dir, then inner", []layer{{dir("a", 0o755), file("a/b/c", "1")}, {file("a/.wh.b", "")}, {file("a/b/d", "2")}, {file("a/.wh.b", ""), file("a/b2", "")}}},
		{"block", []layer{{entry('4', "blk", 0o660)}}},
		{"big device", []layer{{device("x", 4095, 1048575)}}},
		{"colliding case", []layer{{file("A", "1"), file("a", "2"), file("é", "1"), file("e\u0301", "2")}}},
	} {
		t.Run(c.name, func(t *testing.T) { compareWithView(t, c.layers) })
	}
}

// TestOddTarsAsView has tars that no writer writes, as the lowest layer and as
// the uppermost: what containerd refuses is refused, and the rest is the same.
func TestOddTarsAsView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners, and mounting an overlay, need root")
	}
	zeros := strings.Repeat("\x00", 2*tarBlock)
	plain := func(name, body string) string {
		return raw{name: name, magic: posixMagic, kind: '0', body: body}.bytes()
	}
	pax := func(pairs ...string) string {
		return raw{name: "x", magic: posixMagic, kind: 'x', body: records(pairs...)}.bytes()
	}
	global := func(pairs ...string) string {
		return raw{name: "g", magic: posixMagic, kind: 'g', body: records(pairs...)}.bytes()
	}
	for _, c := range []struct{ name, tar string }{
		{"zero bytes", ""},
		{"one zero block", zeros[:512]},
		{"two zero blocks", zeros},
		{"many zero blocks", strings.Repeat(zeros, 500)},
		{"a zero block between", plain("a", "1") + zeros[:512] + plain("b", "2")},
		{"short garbage", "garbage"},
		{"garbage of 512", strings.Repeat("g", 512)},
		{"trailing garbage after end", plain("a", "1") + zeros + "garbage"},
		{"trailing tar after end", plain("a", "1") + zeros + plain("b", "2") + zeros},
		{"trailing partial block", plain("a", "1") + plain("b", "2")[:100]},
		{"global header path", global("path", "zzz", "uid", "7", "SCHILY.xattr.user.a", "1") + plain("a", "1") + zeros},
		{"global then local", global("mtime", "5") + pax("mtime", "7.5") + plain("a", "1") + zeros},
		{"local then global", pax("mtime", "7.5") + global("mtime", "5") + plain("a", "1") + zeros},
		{"two local", pax("mtime", "7.5") + pax("uid", "5") + plain("a", "1") + zeros},
		{"pax size smaller", pax("size", "3") + raw{name: "f", magic: posixMagic, kind: '0', size: "00000000777\x00", body: "abc"}.bytes() + plain("b", "2") + zeros},
		{"pax empty path", pax("path", "") + plain("a", "1") + zeros},
		{"pax path dotdot", pax("path", "../../b") + plain("a", "1") + zeros},
		{"pax linkpath", pax("linkpath", "b") + plain("b", "1") + raw{name: "l", target: "q", magic: posixMagic, kind: '2'}.bytes() + zeros},
		{"pax linkpath on symlink", pax("linkpath", strings.Repeat("b", 200)) + raw{name: "l", target: "q", magic: posixMagic, kind: '2'}.bytes() + zeros},
		{"pax with uname", pax("uname", "root", "gname", "daemon") + plain("b", "1") + zeros},
		{"pax time frac", pax("mtime", "1.9999999999") + plain("b", "1") + zeros},
		{"hard link with a body", plain("a", "1") + raw{name: "l", target: "a", magic: posixMagic, kind: '1', size: "00000000005\x00"}.bytes() + plain("b", "2") + zeros},
		{"dir with size", raw{name: "d/", magic: posixMagic, kind: '5', size: "00000000005\x00"}.bytes() + plain("b", "2") + zeros},
		{"fifo with size", raw{name: "p", magic: posixMagic, kind: '6', size: "00000000005\x00"}.bytes() + plain("b", "2") + zeros},
		{"v7 dir with size", raw{name: "d/", kind: 0, size: "00000000005\x00"}.bytes() + plain("b", "2") + zeros},
		{"ustar file with slash", raw{name: "d/", magic: posixMagic, kind: '0', body: "x"}.bytes() + plain("b", "2") + zeros},
		{"symlink with slash", raw{name: "d/", magic: posixMagic, target: "b", kind: '2'}.bytes() + plain("b", "2") + zeros},
		{"hard link with slash", plain("b", "2") + raw{name: "d/", magic: posixMagic, target: "b", kind: '1'}.bytes() + zeros},
		{"hard link to name with slash", plain("b", "2") + raw{name: "d", magic: posixMagic, target: "b/", kind: '1'}.bytes() + zeros},
		{"whiteout with slash", plain("b", "2") + raw{name: ".wh.c/", magic: posixMagic, kind: '5'}.bytes() + zeros},
		{"empty symlink", raw{name: "d", magic: posixMagic, kind: '2'}.bytes() + zeros},
		{"empty hard link", raw{name: "d", magic: posixMagic, kind: '1'}.bytes() + zeros},
		{"empty name", raw{magic: posixMagic, kind: '0', body: "x"}.bytes() + plain("b", "2") + zeros},
		{"gnu long with NUL inside", raw{name: "././@LongLink", magic: gnuMagic, kind: 'L', body: "lo\x00ng\x00"}.bytes() + plain("f", "1") + zeros},
		{"gnu long and pax", raw{name: "././@LongLink", magic: gnuMagic, kind: 'L', body: "long\x00"}.bytes() + pax("path", "pax") + plain("f", "1") + zeros},
		{"pax and gnu long", pax("path", "pax") + raw{name: "././@LongLink", magic: gnuMagic, kind: 'L', body: "long\x00"}.bytes() + plain("f", "1") + zeros},
		{"solaris X", raw{name: "x", magic: posixMagic, kind: 'X', body: records("path", "b")}.bytes() + plain("a", "1") + zeros},
		{"vendor A", raw{name: "x", magic: posixMagic, kind: 'A', body: "x"}.bytes() + plain("a", "1") + zeros},
		{"sparse 0.1 dir", pax("GNU.sparse.size", "14", "GNU.sparse.numblocks", "0", "GNU.sparse.map", "") + raw{name: "d/", magic: posixMagic, kind: '5'}.bytes() + plain("a", "1") + zeros},
		{"sparse 2.0", pax("GNU.sparse.major", "2", "GNU.sparse.minor", "0", "GNU.sparse.name", "n", "GNU.sparse.realsize", "9") + plain("a", "1") + zeros},
		{"sparse of a hole", pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "n", "GNU.sparse.realsize", "900000") + plain("a", "0\n"+strings.Repeat("\x00", 510)) + plain("b", "2") + zeros},
		{"sparse overlapping", pax("GNU.sparse.size", "14", "GNU.sparse.numblocks", "2", "GNU.sparse.map", "1,4,3,4") + plain("a", "datamore") + plain("b", "2") + zeros},
		{"sparse data left", pax("GNU.sparse.size", "14", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "1,4") + plain("a", "datamore") + plain("b", "2") + zeros},
		{"sparse data missing", pax("GNU.sparse.size", "14", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "1,12") + plain("a", "datamore") + plain("b", "2") + zeros},
		{"sparse with xattr and link", pax("GNU.sparse.size", "9", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "1,8", "SCHILY.xattr.user.a", "b") + plain("a", "datamore") + raw{name: "l", target: "a", magic: posixMagic, kind: '1'}.bytes() + zeros},
		{"sparse whiteout", pax("GNU.sparse.size", "9", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "1,8", "GNU.sparse.name", ".wh.q") + plain("a", "datamore") + plain("b", "1") + zeros},
		{"bad checksum", strings.Replace(plain("a", "1"), "a", "b", 1) + zeros},
		{"bad octal", raw{name: "f", magic: posixMagic, kind: '0', size: "zzz\x00"}.bytes() + zeros},
	} {
		t.Run(c.name, func(t *testing.T) {
			odd := []byte(c.tar)
			compareTarsWithView(t, odd, layer{file("between", "")}.tar(), odd)
		})
	}
}

// compareTarsWithView is compareWithView for tars that may not be unpacked.
func compareTarsWithView(t *testing.T, tars ...[]byte) {
	t.Helper()
	view, viewErr := unpackView(t, tars)
	if viewErr == nil {
		defer closing(t, view)
	}
	tree, err := openImage(t, Options{}, tars...)
	switch {
	case (err == nil) != (viewErr == nil):
		t.Errorf("containerd says %v, the merge says %v", viewErr, err)
	case err == nil:
		compareTrees(t, tree, view)
	}
}

// TestRefusedThoughUnpacked is the closed list of what containerd unpacks and
// the merge refuses: what a view shows of it is not what the layer says.
func TestRefusedThoughUnpacked(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners, and mounting an overlay, need root")
	}
	owner := func(uid int) []byte { return layer{gnu(file("f", "").own(uid, 0))}.tar() }
	for _, c := range []struct {
		name, want string
		tar        []byte
	}{
		{"an owner of -1", "owner -1:0 is out of range", owner(-1)},
		{"an owner of 2^32-1", "owner 4294967295:0 is out of range", owner(1<<32 - 1)},
		{"a PAX header that nothing follows", "unexpected EOF", []byte(raw{name: "x", magic: posixMagic, kind: 'x', body: records("path", "f")}.bytes() + strings.Repeat("\x00", 2*tarBlock))},
		{"a long name that nothing follows", "unexpected EOF", []byte(raw{name: "././@LongLink", magic: gnuMagic, kind: 'L', body: "f\x00"}.bytes() + strings.Repeat("\x00", 2*tarBlock))},
		{"no entry, and then text", "zeros and then other bytes", []byte(strings.Repeat("\x00", 2*tarBlock) + "text")},
	} {
		t.Run(c.name, func(t *testing.T) {
			view, err := unpackView(t, [][]byte{c.tar})
			if err != nil {
				t.Fatalf("containerd refuses it, too: %v", err)
			}
			defer closing(t, view)
			if _, err := openImage(t, Options{}, c.tar); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %s", err, c.want)
			}
		})
	}
}

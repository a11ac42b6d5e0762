package layers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// raw is a header written byte by byte, and what follows it.
type raw struct {
	name, target, magic, prefix string
	kind                        byte
	size                        string // octal, or as it stands where it is 12 bytes long
	body                        string
}

const (
	posixMagic = "ustar\x0000"
	gnuMagic   = "ustar  \x00"
)

func (r raw) bytes() string {
	var h [tarBlock]byte
	copy(h[0:], r.name)
	copy(h[100:], "0000640\x000000001\x000000002\x00")
	size := r.size
	if size == "" {
		size = fmt.Sprintf("%011o\x00", len(r.body))
	}
	copy(h[124:], size)
	copy(h[136:], "13727410000\x00") // entryTime
	h[156] = r.kind
	copy(h[157:], r.target)
	copy(h[257:], r.magic)
	copy(h[345:], r.prefix)
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00", sum))
	return string(h[:]) + r.body + strings.Repeat("\x00", (tarBlock-len(r.body)%tarBlock)%tarBlock)
}

// records writes PAX records.
func records(pairs ...string) string {
	var out strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		rest := fmt.Sprintf(" %s=%s\n", pairs[i], pairs[i+1])
		n := len(rest) + 1
		for len(fmt.Sprint(n))+len(rest) != n {
			n++
		}
		fmt.Fprintf(&out, "%d%s", n, rest)
	}
	return out.String()
}

func TestDialects(t *testing.T) {
	const end = 2 * tarBlock
	zeros := strings.Repeat("\x00", end)
	after := raw{name: "z", magic: posixMagic, kind: '0', body: "after"}.bytes()
	const afterLine = `f0640 "z" 1:2 "after"`
	long := strings.Repeat("p/", 2100) + "f"
	sparse := func(version, name string, more ...string) string {
		body := "datamore"
		pairs := append([]string{"GNU.sparse.name", name}, more...)
		if version == "1.0" {
			list := "2\n1\n4\n9\n4\n"
			body = list + strings.Repeat("\x00", tarBlock-len(list)) + body
		}
		return raw{name: "x", magic: posixMagic, kind: 'x', body: records(pairs...)}.bytes() +
			raw{name: "GNUSparseFile/x", magic: posixMagic, kind: '0', body: body}.bytes()
	}
	const sparseBody = `"\x00data\x00\x00\x00\x00more\x00"`
	for _, c := range []struct{ name, tar, want string }{
		{"v7", raw{name: "f", kind: 0, body: "v7"}.bytes() + raw{name: "d/", kind: 0}.bytes() + raw{name: "l", kind: '2', target: "f"}.bytes(),
			lines(`d0640 "d" 1:2`, `f0640 "f" 1:2 "v7"`, `l0777 "l" 1:2 -> "f"`, afterLine)},
		{"ustar prefix", raw{name: "f", prefix: "d/e", magic: posixMagic, kind: '0'}.bytes(), lines(`d0755 "d" implied`, `d0755 "d/e" implied`, `f0640 "d/e/f" 1:2`, afterLine)},
		{"a contiguous file", raw{name: "f", magic: posixMagic, kind: '7', body: "contiguous"}.bytes(), lines(`f0640 "f" 1:2 "contiguous"`, afterLine)},
		{"GNU long name and target", raw{name: "././@LongLink", magic: gnuMagic, kind: 'L', body: "long\x00"}.bytes() + raw{name: "././@LongLink", magic: gnuMagic, kind: 'K', body: "target\x00"}.bytes() + raw{name: "s", magic: gnuMagic, kind: '2'}.bytes(),
			lines(`l0777 "long" 1:2 -> "target"`, afterLine)},
		{"base 256", raw{name: "f", magic: gnuMagic, kind: '0', body: "256", size: "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03"}.bytes(), lines(`f0640 "f" 1:2 "256"`, afterLine)},
		{"a PAX name of bytes", raw{name: "x", magic: posixMagic, kind: 'x', body: records("hdrcharset", "BINARY", "path", "a\xff\nb", "mtime", "-1.5", "uid", "3000000000")}.bytes() + raw{name: "f", magic: posixMagic, kind: '0'}.bytes(),
			lines(`f0640 "a\xff\nb" 3000000000:2 @-2.500000000`, afterLine)},
		{"xattrs of libarchive say nothing", raw{name: "x", magic: posixMagic, kind: 'x', body: records("LIBARCHIVE.xattr.user.a", "MQ==", "SCHILY.xattr.user.b", "")}.bytes() + raw{name: "f", magic: posixMagic, kind: '0'}.bytes(),
			lines(`f0640 "f" 1:2 {"user.b"=""}`, afterLine)},
		{"a PAX global header says nothing", raw{name: "/tmp/GlobalHead.1", magic: posixMagic, kind: 'g', body: records("uid", "77", "comment", "c")}.bytes() + raw{name: "f", magic: posixMagic, kind: '0'}.bytes(),
			lines(`f0640 "f" 1:2`, afterLine)},
		{"PAX sparse 0.0", sparse("0.0", "s", "GNU.sparse.size", "14", "GNU.sparse.numblocks", "2", "GNU.sparse.offset", "1", "GNU.sparse.numbytes", "4", "GNU.sparse.offset", "9", "GNU.sparse.numbytes", "4"),
			lines(`f0640 "s" 1:2 `+sparseBody, afterLine)},
		{"PAX sparse 0.1", sparse("0.1", "s", "GNU.sparse.size", "14", "GNU.sparse.numblocks", "2", "GNU.sparse.map", "1,4,9,4"), lines(`f0640 "s" 1:2 `+sparseBody, afterLine)},
		{"PAX sparse 1.0, twice", sparse("1.0", "s", "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "14") + sparse("1.0", "t", "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "14"),
			lines(`f0640 "s" 1:2 `+sparseBody, `f0640 "t" 1:2 `+sparseBody, afterLine)},
		{"a path over 4096 bytes", raw{name: "x", magic: posixMagic, kind: 'x', body: records("path", long)}.bytes() + raw{name: "f", magic: posixMagic, kind: '0', body: "deep"}.bytes(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, tail := range []string{"", zeros[:tarBlock], zeros, zeros + "what follows the end"} {
				tree, err := openImage(t, Options{}, []byte(c.tar+after+tail))
				if err != nil {
					t.Fatalf("with %d bytes at the end: %v", len(tail), err)
				}
				got := list(t, tree)
				if c.want == "" { // the long path
					if !strings.Contains(got, fmt.Sprintf(`f0640 %q 1:2 "deep"`, long)) {
						t.Error("the deep file is not there")
					}
				} else if got != c.want {
					t.Errorf("wrong tree:\n%s", differences(got, c.want))
				}
			}
		})
	}
}

func TestAbsurdSizes(t *testing.T) {
	for _, c := range []struct{ name, tar, want string }{
		{"negative", raw{name: "f", magic: gnuMagic, kind: '0', size: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"}.bytes(), "invalid tar header"},
		{"8 EiB", raw{name: "f", magic: gnuMagic, kind: '0', size: "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"}.bytes(), "unexpected EOF"},
		{"over 64 bits", raw{name: "f", magic: gnuMagic, kind: '0', size: "\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"}.bytes(), "invalid tar header"},
		{"sparse of 8 EiB", raw{name: "x", magic: posixMagic, kind: 'x', body: records("GNU.sparse.size", "9223372036854775807", "GNU.sparse.numblocks", "0", "GNU.sparse.map", "")}.bytes() + raw{name: "f", magic: posixMagic, kind: '0'}.bytes(), ""},
		{"sparse with a map of 8 EiB", raw{name: "x", magic: posixMagic, kind: 'x', body: records("GNU.sparse.major", "0", "GNU.sparse.minor", "1", "GNU.sparse.size", "9223372036854775807", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "9223372036854775806,1")}.bytes() + raw{name: "f", magic: posixMagic, kind: '0', body: "x"}.bytes(), "over the limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, err := openImage(t, Options{}, []byte(c.tar))
			if c.want == "" && err == nil {
				list(t, tree)
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %s", err, c.want)
			}
		})
	}
}

// TestGNUTar reads what GNU tar itself writes of files with holes.
func TestGNUTar(t *testing.T) {
	if out, err := exec.Command("tar", "--version").Output(); err != nil || !bytes.Contains(out, []byte("GNU tar")) {
		t.Skip("SKIPPED: there is no GNU tar here")
	}
	dir := t.TempDir()
	for _, name := range []string{"s", "t"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 { // over the 4 and 21 of the old header's blocks
			if _, err := f.WriteAt(bytes.Repeat([]byte(name), 4096), int64(i)<<16); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(5 << 20); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "z"), []byte("after"), 0o644); err != nil {
		t.Fatal(err)
	}
	tarOf := func(flags ...string) []byte {
		args := append(slices.Clone(flags), "--numeric-owner", "--owner=0", "--group=0", "--mode=0640", "--mtime=@1600000000", "-C", dir, "-cf", "-", "s", "t", "z")
		out, err := exec.Command("tar", args...).Output()
		if err != nil {
			t.Fatalf("tar %q: %v", args, err)
		}
		return out
	}
	plain, err := openImage(t, Options{}, tarOf("--format=ustar"))
	if err != nil {
		t.Fatal(err)
	}
	want := list(t, plain)
	for _, flags := range [][]string{
		{"--format=gnu", "-S"},
		{"--format=pax", "-S", "--sparse-version=0.0"},
		{"--format=pax", "-S", "--sparse-version=0.1"},
		{"--format=pax", "-S", "--sparse-version=1.0"},
		{"--format=v7"}, {"--format=oldgnu", "-S"},
	} {
		content := tarOf(flags...)
		if len(flags) > 1 && len(content) > 4<<20 {
			t.Errorf("tar %q wrote the holes: this tests nothing", flags)
		}
		tree, err := openImage(t, Options{}, content)
		if err != nil {
			t.Errorf("tar %q: %v", flags, err)
			continue
		}
		if got := list(t, tree); got != want {
			t.Errorf("tar %q:\n%s", flags, differences(got, want))
		}
	}
}

package erofs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSameAsKernel compares with what Linux shows of the same images.
func TestSameAsKernel(t *testing.T) {
	for name := range images {
		t.Run(name, func(t *testing.T) { compareWithKernel(t, load(t, name)) })
	}
}

// compareWithKernel mounts an image where nobody else sees it.
func compareWithKernel(t *testing.T, image []byte) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting needs root")
	}
	got, err := list(image)
	if err != nil {
		t.Fatal(err)
	}
	file, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := os.WriteFile(file, image, 0o644); err != nil {
		t.Fatal(err)
	}
	// The loop device goes with the mount.
	if out, err := exec.Command("mount", "-t", "erofs", "-o", "loop,ro", file, dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: this kernel does not mount the image: %v: %s", err, out)
	}
	want, err := kernelList(dir)
	if unmount := unix.Unmount(dir, 0); unmount != nil {
		t.Error(unmount)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got:\n%s\nthe kernel shows:\n%s", got, want)
	}
}

// kernelList lists a directory as list does an image.
func kernelList(dir string) (string, error) {
	var out strings.Builder
	names := map[uint64]string{}
	var add func(path string) error
	add = func(path string) error {
		full := dir + "/" + path
		var st unix.Stat_t
		if err := unix.Lstat(full, &st); err != nil {
			return err
		}
		if first, again := names[st.Ino]; again {
			fmt.Fprintf(&out, "%q is %q\n", path, first)
			return nil
		}
		names[st.Ino] = path
		fmt.Fprintf(&out, "%q %07o %d:%d %d links %d.%09d", path, st.Mode, st.Uid, st.Gid, st.Nlink, st.Mtim.Sec, st.Mtim.Nsec)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			b, err := os.ReadFile(full)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " %d bytes %.8x", len(b), sha256.Sum256(b))
		case unix.S_IFLNK:
			target, err := os.Readlink(full)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " to %q", target)
		case unix.S_IFCHR, unix.S_IFBLK:
			fmt.Fprintf(&out, " %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		attrs, err := kernelXattrs(full)
		if err != nil {
			return err
		}
		out.WriteString(strings.Join(attrs, "") + "\n")
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return nil
		}
		below, err := os.ReadDir(full)
		if err != nil {
			return err
		}
		for _, d := range below {
			if err := add(path + "/" + d.Name()); err != nil {
				return err
			}
		}
		return nil
	}
	err := add(".")
	return out.String(), err
}

func kernelXattrs(path string) ([]string, error) {
	list, value := make([]byte, 1<<16), make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return nil, err
	}
	var attrs []string
	for name := range bytes.SplitSeq(bytes.TrimSuffix(list[:n], []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		n, err := unix.Lgetxattr(path, string(name), value)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, fmt.Sprintf(" %s=%q", name, value[:n]))
	}
	slices.Sort(attrs)
	return attrs, nil
}

package listing

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// xattrPrefix is the PAX keyword of an extended attribute, as star, GNU tar,
// bsdtar, docker and containerd have it.
const xattrPrefix = "SCHILY.xattr."

// OfTar describes a tar as it stands. A name that comes twice, an entry before
// its directory and a link to a name that is not yet there are errors, as is
// an order that is not a walk's.
func OfTar(r io.Reader) (Listing, error) {
	in := tar.NewReader(r)
	t := tarReader{index: map[string]int{}}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return t.out.Regroup(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading entry %d: %w", len(t.out)+1, err)
		}
		if err := t.add(h, in); err != nil {
			return nil, fmt.Errorf("entry %d, %q: %w", len(t.out)+1, h.Name, err)
		}
	}
}

type tarReader struct {
	out   Listing
	index map[string]int // where a path stands in out
	last  string
}

func (t *tarReader) add(h *tar.Header, body io.Reader) error {
	path := strings.TrimSuffix(h.Name, "/")
	if err := t.checkName(h, path); err != nil {
		return err
	}
	e, err := t.entry(h, path, body)
	if err != nil {
		return err
	}
	t.index[path] = len(t.out)
	t.out = append(t.out, e)
	t.last = path
	return nil
}

func (t *tarReader) checkName(h *tar.Header, path string) error {
	if path == "" || path == "." || strings.HasPrefix(path, "/") || strings.HasPrefix(path, "./") {
		return errors.New("the name is no clean relative one")
	}
	if (h.Typeflag == tar.TypeDir) != strings.HasSuffix(h.Name, "/") {
		return errors.New("a directory's name, and no other, ends in a slash")
	}
	if _, twice := t.index[path]; twice {
		return errors.New("the name comes twice")
	}
	if t.last != "" && Compare(t.last, path) >= 0 {
		return fmt.Errorf("it comes after %q", t.last)
	}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		at, found := t.index[path[:i]]
		if !found || t.out[at].Type != "dir" {
			return errors.New("its directory has no entry before it")
		}
	}
	return nil
}

func (t *tarReader) entry(h *tar.Header, path string, body io.Reader) (Entry, error) {
	if h.Typeflag == tar.TypeLink {
		at, found := t.index[h.Linkname]
		if !found {
			return Entry{}, fmt.Errorf("it links to %q, which has no entry before it", h.Linkname)
		}
		t.out[at].Group = h.Linkname
		e := t.out[at]
		e.Path = path
		return e, nil
	}
	types := map[byte]string{
		tar.TypeReg: "file", tar.TypeDir: "dir", tar.TypeSymlink: "symlink",
		tar.TypeChar: "char", tar.TypeBlock: "block", tar.TypeFifo: "fifo",
	}
	e := Entry{
		Path: path, Type: types[h.Typeflag], Mode: uint32(h.Mode), UID: uint32(h.Uid), GID: uint32(h.Gid),
		Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond()), Target: h.Linkname, Xattrs: xattrsOf(h),
	}
	switch e.Type {
	case "":
		return Entry{}, fmt.Errorf("type %q is unknown", h.Typeflag)
	case "char", "block":
		e.Device = fmt.Sprintf("%d,%d", h.Devmajor, h.Devminor)
	case "file":
		sum := sha256.New()
		n, err := io.Copy(sum, body)
		if err != nil {
			return Entry{}, fmt.Errorf("reading its body: %w", err)
		}
		e.Size, e.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	}
	return e, nil
}

func xattrsOf(h *tar.Header) map[string]string {
	unescape := strings.NewReplacer("%3D", "=", "%25", "%")
	var xattrs map[string]string
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, xattrPrefix); ok {
			if xattrs == nil {
				xattrs = map[string]string{}
			}
			xattrs[unescape.Replace(name)] = value
		}
	}
	return xattrs
}

// CheckEnd says whether two zero blocks and nothing else stand after a tar's
// last entry: readers accept a tar that was cut between entries.
func CheckEnd(data []byte) error {
	const block = 512
	source := bytes.NewReader(data)
	in := tar.NewReader(source)
	end := 0
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		// The reader takes whole blocks and reads nothing ahead.
		body := (int(h.Size) + block - 1) / block * block
		end = len(data) - source.Len() + body
	}
	if rest := data[min(end, len(data)):]; !bytes.Equal(rest, make([]byte, 2*block)) {
		return fmt.Errorf("%d bytes after the last entry are not two zero blocks", len(rest))
	}
	return nil
}

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestForeign names what is packed in something else.
func TestForeign(t *testing.T) {
	zeros := func(n int, magic string) string {
		return strings.Repeat("\x00", n) + magic + strings.Repeat("\x00", 2000)
	}
	for _, c := range []struct{ start, what, command string }{
		{"\x04\x22\x4d\x18 and so on", "lz4", "lz4 -dc FILE"},
		{"LZIP\x01", "lzip", "lzip -dc FILE"},
		{"\x1f\x9d\x90", "compress's .Z", "gzip -dc FILE"},
		{"\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00", "lzma", "xz --format=lzma -dc FILE"},
		{"7z\xbc\xaf\x27\x1c\x00\x04", "7z", "7z x -so FILE"},
		{"PK\x03\x04\x14", "zip", "unzip -p FILE"},
		{"Rar!\x1a\x07\x01\x00", "rar", "unrar p -inul FILE"},
		{"\x89LZO\x00\r\n\x1a\n", "lzop", "lzop -dc FILE"},
		{"070701000000", "cpio", "cpio -id <FILE"},
		{"!<arch>\ndebian-binary", "ar", "ar x FILE"},
		{"hsqs\x00", "squashfs", "unsquashfs FILE"},
		{"QFI\xfb\x00\x00\x00\x03", "qcow", "qemu-img convert -O raw FILE DISK"},
		{zeros(1024, "\xe2\xe1\xf5\xe0"), "erofs", "fsck.erofs --extract=DIR FILE"},
		{zeros(1080, "\x53\xef"), "ext4", "debugfs -R 'rdump / DIR' FILE"},
		{zeros(32769, "CD001"), "an ISO 9660 image", "bsdtar -xf FILE"},
	} {
		var foreign *ForeignError
		_, err := opened(t, []byte(c.start), OCIIndex)
		if !errors.As(err, &foreign) || foreign.What != c.what || foreign.Command != c.command {
			t.Errorf("%.20q: %v, want %q, by %q", c.start, err, c.what, c.command)
		}
		// In a stream it is reported before all of it is written out.
		_, err = OpenTar(t.Context(), "-", Options{Stdin: strings.NewReader(c.start), SpoolDir: "/no/such"})
		if !errors.As(err, &foreign) || foreign.What != c.what {
			t.Errorf("%.20q, in a stream: %v, want %q", c.start, err, c.what)
		}
	}
}

// TestShort tells a text from a tar that was cut off in its first header.
func TestShort(t *testing.T) {
	header := tarOf(t, "index.json", "{}")[:tarBlock]
	for text, want := range map[string]string{
		`{"errors":[{"code":"DENIED"}]}`:    errShort.Error(),
		"<!DOCTYPE html>\n":                 errShort.Error(),
		strings.Repeat("x", tarBlock-1):     errShort.Error(),
		strings.Repeat("x", tarBlock):       "it is not an image archive: archive/tar: invalid tar header",
		string(header[:len("index.json")]):  errShort.Error(),
		string(header[:len("index.json ")]): "it is cut off: unexpected EOF",
		string(header[:tarBlock-1]):         "it is cut off: unexpected EOF",
	} {
		_, err := opened(t, []byte(text), OCIIndex)
		if got := message(Explain("a.tar", err)); got != want {
			t.Errorf("%.20q of %d bytes: %q, want %q", text, len(text), got, want)
		}
		_, err = OpenTar(t.Context(), "-", Options{Stdin: strings.NewReader(text), SpoolDir: t.TempDir()})
		if got := message(Explain("-", err)); got != want {
			t.Errorf("%.20q of %d bytes, in a stream: %q, want %q", text, len(text), got, want)
		}
	}
}

// TestForeignNames reads tars whose first name is what another thing begins with.
func TestForeignNames(t *testing.T) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		for _, name := range []string{"070701", "PK\x03\x04", "LZIP", "hsqs", "]", "7z\xbc\xaf\x27\x1c", "\x1f\x9d"} {
			var out bytes.Buffer
			w := tar.NewWriter(&out)
			if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Format: format}); err != nil {
				continue // the format has no room for such a name
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			data := out.Bytes()
			if a, err := opened(t, data, OCIIndex); err != nil || a.parts[name] == nil {
				t.Errorf("%q as %v: %v", name, format, err)
			}
			copy(data[257:], make([]byte, 8)) // as tars were before they had a magic
			if err := foreign(resummed(data)); err != nil {
				t.Errorf("%q without a magic: %v", name, err)
			}
		}
	}
}

// resummed gives a tar its first header's sum anew.
func resummed(data []byte) []byte {
	copy(data[148:156], "        ")
	sum := 0
	for _, b := range data[:tarBlock] {
		sum += int(b)
	}
	digits := []byte("000000\x00 ")
	for i := 5; i >= 0; i-- {
		digits[i], sum = byte('0'+sum%8), sum/8
	}
	copy(data[148:156], digits)
	return data
}

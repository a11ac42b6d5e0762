package layertype

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// tarOf is a tar of one entry of the given format; of type 0, it is a file with a
// name that takes a header of its own.
func tarOf(t testing.TB, format tar.Format, typeflag byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	h := &tar.Header{Format: format, Name: "name", Typeflag: typeflag}
	switch typeflag {
	case 0:
		h.Name, h.Typeflag = strings.Repeat("n", 200), tar.TypeReg
	case tar.TypeXGlobalHeader:
		h = &tar.Header{Typeflag: typeflag, PAXRecords: map[string]string{"comment": "c"}}
	}
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzTarCheck: any bytes are the same in whichever pieces they come.
func FuzzTarCheck(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		f.Add(tarOf(f, format, 0))
	}
	f.Add(tarOf(f, tar.FormatPAX, tar.TypeXGlobalHeader))
	f.Add(append(make([]byte, 1024), "noise"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= tarBlock {
			data = bytes.Clone(data)
			copy(data[148:156], checksumOf(data))
		}
		var whole, bits TarCheck
		if _, err := whole.Write(data); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&bits, iotest.OneByteReader(bytes.NewReader(data))); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{nil, tar.ErrHeader} {
			a, b := whole.Explain("T", err), bits.Explain("T", err)
			if (a == nil) != (b == nil) || a != nil && a.Error() != b.Error() {
				t.Errorf("at once: %v; by bytes: %v", a, b)
			}
		}
	})
}

// TestNegativeSize: a header whose size is below zero is what its reader says of it.
func TestNegativeSize(t *testing.T) {
	data := tarOf(t, tar.FormatPAX, 0)
	copy(data[124:], "-0000002000")
	copy(data[148:], checksumOf(data))
	var check TarCheck
	if _, err := check.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := check.Explain("T", tar.ErrHeader); !errors.Is(err, tar.ErrHeader) || !check.Settled() {
		t.Errorf("%v, settled: %v", err, check.Settled())
	}
}

func TestTarCheck(t *testing.T) {
	whole := tarOf(t, tar.FormatPAX, tar.TypeReg)
	// The checksums of old tars are sums of signed bytes.
	signed := bytes.Clone(whole)
	copy(signed, "\xff\xfe")
	copy(signed[148:], checksumOf(signed))
	broken := bytes.Clone(whole)
	broken[3]++
	global, long := tarOf(t, tar.FormatPAX, tar.TypeXGlobalHeader), tarOf(t, tar.FormatPAX, 0)
	zeros := func(n int, more string) []byte { return append(make([]byte, n), more...) }
	at := func(n int, magic string) []byte { return append(zeros(n, magic), make([]byte, 4096)...) }
	text := strings.Repeat("no tar ", 100)
	for name, c := range map[string]struct {
		data []byte
		want string // what it is taken for; empty for a tar
	}{
		"a tar":                    {whole, ""},
		"GNU tar":                  {tarOf(t, tar.FormatGNU, tar.TypeDir), ""},
		"a global header":          {tarOf(t, tar.FormatPAX, tar.TypeXGlobalHeader), ""},
		"no end":                   {whole[:512], ""},
		"a signed checksum":        {signed, ""},
		"what follows the end":     {append(bytes.Clone(whole), text...), ""},
		"nothing":                  {nil, ""},
		"one block of zeros":       {zeros(512, ""), ""},
		"two blocks of zeros":      {zeros(1024, ""), ""},
		"zeros":                    {zeros(1<<20, ""), ""},
		"a byte behind the end":    {zeros(1024, "x"), "zeros and then other bytes"},
		"a byte far behind it":     {zeros(1<<20, "x"), "zeros and then other bytes"},
		"a byte, then zeros":       {append(zeros(1024, "x"), make([]byte, 9000)...), "zeros and then other bytes"},
		"a tar behind the end":     {append(zeros(1024, ""), whole...), "zeros and then other bytes"},
		"a tar behind one block":   {append(zeros(512, ""), whole...), "zeros and then other bytes"},
		"a global header, text":    {append(bytes.Clone(global), text...), "zeros and then other bytes"},
		"two of them, text":        {append(append(bytes.Clone(global[:len(global)-1024]), global...), text...), "zeros and then other bytes"},
		"two of them, a tar":       {append(append(bytes.Clone(global[:len(global)-1024]), global[:len(global)-1024]...), whole...), ""},
		"long names":               {tarOf(t, tar.FormatGNU, 0), ""},
		"PAX records alone":        {append(bytes.Clone(long[:1024]), make([]byte, 1024)...), "a header without an entry"},
		"PAX records, then text":   {append(append(bytes.Clone(long[:1024]), make([]byte, 1024)...), text...), "zeros and then other bytes"},
		"PAX records, no end":      {long[:1024], "a header without an entry"},
		"EROFS":                    {at(1024, "\xe2\xe1\xf5\xe0"), "zeros and then other bytes"},
		"ext4":                     {at(1080, "\x53\xef"), "zeros and then other bytes"},
		"text":                     {[]byte(text), "something else"},
		"short text":               {[]byte("hello"), "shorter than a tar's header"},
		"a header that is damaged": {broken, "something else"},
		"xz":                       {[]byte("\xfd7zXZ\x00" + text), "xz"},
		"short xz":                 {[]byte("\xfd7zXZ\x00"), "xz"},
		"bzip2":                    {[]byte("BZh91AY" + text), "bzip2"},
		"lz4":                      {[]byte("\x04\x22\x4d\x18" + text), "lz4"},
		"squashfs":                 {[]byte("hsqs" + text), "a squashfs"},
		"cpio":                     {[]byte("070701" + text), "a cpio archive"},
		"JSON":                     {[]byte(`{"a":1}` + text), "JSON"},
	} {
		for piece, read := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "in bits": iotest.HalfReader, "by bytes": iotest.OneByteReader,
		} {
			if piece == "by bytes" && len(c.data) > 10_000 {
				continue
			}
			var check TarCheck
			stream := io.TeeReader(read(bytes.NewReader(c.data)), &check)
			_, err := tar.NewReader(stream).Next()
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if err == nil {
				if _, err := io.Copy(io.Discard, stream); err != nil {
					t.Fatal(err)
				}
			}
			got := check.Explain("T", err)
			var told *ContentError
			switch {
			case c.want == "" && got != nil:
				t.Errorf("%s, %s: %v", name, piece, got)
			case c.want != "" && !errors.As(got, &told):
				t.Errorf("%s, %s: %v, want a *ContentError", name, piece, got)
			case c.want != "" && (told.MediaType != "T" || !strings.HasPrefix(told.Found, c.want) || err != nil && !errors.Is(got, err)):
				t.Errorf("%s, %s: %v, want it to be %s, by %v", name, piece, got, c.want, err)
			}
		}
	}
}

// checksumOf sums a header's bytes as signed ones.
func checksumOf(block []byte) []byte {
	sum := int64(0)
	for i, b := range block[:tarBlock] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int64(int8(b))
	}
	digits := []byte("000000\x00 ")
	for i := 5; i >= 0; i-- {
		digits[i], sum = byte('0'+sum%8), sum/8
	}
	return digits
}

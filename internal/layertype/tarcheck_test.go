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

package export_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// FuzzReadPatterns reads any file of patterns: none of them is empty, and all
// make a filter or an error.
func FuzzReadPatterns(f *testing.F) {
	f.Add([]byte("# a comment\n*/temp*\n!a\n**/b/\n"))
	f.Add([]byte("\xef\xbb\xbf/a\r\n[a-z\n\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		patterns, err := export.ReadPatterns(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, p := range patterns {
			if strings.TrimSpace(p) == "" {
				t.Errorf("the patterns of %q have an empty one", data)
			}
		}
		filter, err := export.NewFilter(exporttest.New(), export.Rules{Exclude: patterns})
		if err == nil {
			err = filter.Close()
			if err != nil {
				t.Error(err)
			}
		}
	})
}

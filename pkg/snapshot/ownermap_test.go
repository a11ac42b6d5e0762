package snapshot

import (
	"fmt"
	"testing"
)

func TestParseIDMaps(t *testing.T) {
	for text, want := range map[string]string{
		"0:100000:65536":      "[{0 100000 65536}] <nil>",
		"0:1000:1,1:100000:9": "[{0 1000 1} {1 100000 9}] <nil>",
		"0:100000":            `[] parsing id mapping "0:100000": it is INSIDE:OUTSIDE:SIZE`,
		"":                    `[] parsing id mapping "": it is INSIDE:OUTSIDE:SIZE`,
		"0:-1:1":              `[] parsing id mapping "0:-1:1": it is INSIDE:OUTSIDE:SIZE`,
		"0:0:1:2":             `[] parsing id mapping "0:0:1:2": it is INSIDE:OUTSIDE:SIZE`,
	} {
		maps, err := parseIDMaps(text)
		short := []string{}
		for _, m := range maps {
			short = append(short, fmt.Sprintf("{%d %d %d}", m.ContainerID, m.HostID, m.Size))
		}
		if got := fmt.Sprint(short, " ", err); got != want {
			t.Errorf("%q gave %s, want %s", text, got, want)
		}
	}
}

package snapshot

import (
	"fmt"
	"testing"
)

func TestPodReadings(t *testing.T) {
	containers := []podContainer{
		{"default", "web", "app"}, {"default", "web", "sidecar"}, {"prod", "web", "app"}, {"web", "app", "x"}, {"default", "db", "pg"},
	}
	for text, want := range map[string]string{
		"db":              "[default/db/pg]",
		"default/db":      "[default/db/pg]",
		"db/pg":           "[default/db/pg]",
		"default/web":     "[default/web/app default/web/sidecar]",
		"web/sidecar":     "[default/web/sidecar]",
		"web/app":         "[default/web/app prod/web/app web/app/x]",
		"prod/web/app":    "[prod/web/app]",
		"prod/web/x":      "[]",
		"web":             "[default/web/app default/web/sidecar prod/web/app]",
		"default/web/app": "[default/web/app]",
	} {
		got := []podContainer{}
		for _, c := range containers {
			for _, reading := range podReadings(text) {
				if reading.names(c) {
					got = append(got, c)
				}
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("pod:%s names %v, want %s", text, got, want)
		}
	}
}

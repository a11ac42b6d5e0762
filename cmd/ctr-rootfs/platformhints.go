package main

import (
	"fmt"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

func platformHint(e *snapshot.PlatformError) string {
	if len(e.Have) == 0 {
		return ""
	}
	for _, have := range e.Have {
		if strings.Contains(have, "(") { // which a shell would take for its own
			return fmt.Sprintf("choose one of them with --platform, as in --platform '%s'", have)
		}
	}
	return "choose one of them with --platform"
}

func featureHint(e *snapshot.FeatureError) string {
	switch {
	case e.ByLayers:
		return "use --via layers"
	case len(e.Others) > 0:
		return "use --snapshotter " + e.Others[0]
	}
	return "choose another one with --platform, or a containerd that has such a snapshotter"
}

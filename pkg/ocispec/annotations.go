package ocispec

import (
	"maps"
	"slices"
	"strings"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationPrefix begins the implicit annotations of conversion.md.
const annotationPrefix = "org.opencontainers.image."

// annotations follows conversion.md, Annotation Fields: what the image does
// not say is absent, and a label wins over what follows from another field.
func annotations(img ispec.Image) map[string]string {
	implicit := map[string]string{
		"os":           img.OS,
		"architecture": img.Architecture,
		"variant":      img.Variant,
		"os.version":   img.OSVersion,
		"os.features":  strings.Join(img.OSFeatures, ","),
		"author":       img.Author,
		"created":      created(img),
		"stopSignal":   img.Config.StopSignal,
		"exposedPorts": strings.Join(sortedKeys(img.Config.ExposedPorts), ","),
	}
	all := map[string]string{}
	for name, value := range implicit {
		if value != "" {
			all[annotationPrefix+name] = value
		}
	}
	maps.Copy(all, img.Config.Labels)
	return all
}

// created is empty for the year 1, which tools without a date once wrote.
func created(img ispec.Image) string {
	if img.Created == nil || img.Created.IsZero() {
		return ""
	}
	return img.Created.Format(time.RFC3339Nano)
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

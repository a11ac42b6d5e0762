package layers

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/internal/randomimage"
)

var (
	firstSeed = flag.Uint64("layers.seed", 0, "the first seed of the random images")
	images    = flag.Uint64("layers.images", 0, "how many random images a test makes; 0 is its own number")

	// asContainerd is what containerd unpacks without refusing or losing it,
	// asSpec what layer.md defines.
	asContainerd = randomimage.Rules{Unpackable: true}
	asSpec       = randomimage.Rules{Defined: true}
)

// seeds gives the seeds of a test's random images.
func seeds(standard uint64) (seeds []uint64) {
	n := standard
	if testing.Short() {
		n = standard / 10
	}
	if *images > 0 {
		n = *images
	}
	for i := range n {
		seeds = append(seeds, *firstSeed+i)
	}
	return seeds
}

func randomImage(seed uint64, r randomimage.Rules) []layer {
	return ownLayers(randomimage.New(seed, r))
}

func imageOf(choices rand.Source, r randomimage.Rules) []layer {
	return ownLayers(randomimage.From(choices, r))
}

func ownLayers(image []randomimage.Layer) []layer {
	var layers []layer
	for _, from := range image {
		var l layer
		for _, e := range from {
			l = append(l, item{e.Header, e.Body})
		}
		layers = append(layers, l)
	}
	return layers
}

// script writes an image as a failure shows it.
func script(layers []layer) string {
	var image []randomimage.Layer
	for _, l := range layers {
		image = append(image, l.shared())
	}
	return randomimage.Script(image)
}

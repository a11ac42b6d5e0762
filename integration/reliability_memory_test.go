package integration_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestMemoryOfMany has 32 runs export an image that fills their buffers at the
// same time: each takes no more than one alone may.
func TestMemoryOfMany(t *testing.T) {
	const promised = 64 << 20
	inMemory(t)
	d := daemon.Start(t, daemon.Options{})
	var layer imagetest.Layer
	for i := range 6000 {
		layer = append(layer, imagetest.File(fmt.Sprintf("small%d", i), 0o644, strings.Repeat("s", 4<<10)))
	}
	layer = append(layer, imagetest.File("large", 0o644, strings.Repeat("l", 32<<20)))
	image := small()
	image.Layers = append(image.Layers, layer)
	const name = "docker.io/library/many:1"
	d.Ctr(t, "images", "import", writeArchive(t, name, image))
	program := plainProgram(t)
	export := func() {
		o, most := measured(t, program, "export", "--address", d.Address, "--pull", "never", "-o", "/dev/null", name)
		if o.status != 0 || most == 0 || most > promised {
			t.Errorf("exit status %d, %d bytes of memory, promised are %d\n%s", o.status, most, promised, o.stderr)
		}
	}
	export() // it unpacks
	var runs sync.WaitGroup
	for range atOnce {
		runs.Go(export)
	}
	runs.Wait()
}

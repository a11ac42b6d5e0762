package integration_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
	"github.com/ctr-rootfs/ctr-rootfs/internal/randomimage"
)

const (
	// randomBatch is how many random images a daemon and a layout hold.
	randomBatch = 100
	// randomBudget is after how long a run without a number of its own begins
	// no further batch.
	randomBudget = 90 * time.Second
	// randomStandard is how many images such a run compares at most.
	randomStandard = 2 * randomBatch
)

// TestRandomImages compares the two ways to read random images: the same bytes
// by a view of containerd's own unpacking and by merging the layers, and, where
// layer.md defines it, what umoci unpacks of the same layers.
//
// RANDOM_COUNT says how many images, RANDOM_SEED which is the first.
func TestRandomImages(t *testing.T) {
	needsRoot(t)
	count, first := fromEnvironment(t, "RANDOM_COUNT", 0), fromEnvironment(t, "RANDOM_SEED", 0)
	budget := randomBudget
	if count == 0 {
		count = randomStandard
	} else {
		budget = 0
	}
	umoci, err := tools.Dir(context.Background(), "umoci")
	if err != nil {
		t.Fatal(err)
	}
	done := uint64(0)
	for started := time.Now(); done < count && (budget == 0 || time.Since(started) < budget); {
		n := min(randomBatch, count-done)
		if !t.Run(fmt.Sprintf("seeds=%d-%d", first+done, first+done+n-1), func(t *testing.T) { compareBatch(t, umoci, first+done, n) }) {
			break
		}
		done += n
	}
	t.Logf("%d random images from seed %d on were compared", done, first)
}

func fromEnvironment(t *testing.T, name string, standard uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return value
}

// compareBatch compares n images, all of which one layout and one daemon hold.
func compareBatch(t *testing.T, umoci string, first, n uint64) {
	d := daemon.Start(t, daemon.Options{})
	all := &imagetest.Content{}
	var images []randomSubject
	for seed := first; seed < first+n; seed++ {
		s := newRandomSubject(seed)
		s.daemon, s.umoci = d, filepath.Join(umoci, "umoci")
		content := s.build(t)
		if all.Blobs == nil {
			all = content
		} else {
			all.Add(content)
		}
		images = append(images, s)
	}
	dir := t.TempDir()
	layout := filepath.Join(dir, "layout")
	if err := all.WriteLayout(layout); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := all.WriteArchive(&archive); err != nil {
		t.Fatal(err)
	}
	d.Ctr(t, "images", "import", "--no-unpack", writeFile(t, "image.tar", archive.Bytes()))
	t.Run("images", func(t *testing.T) {
		for _, s := range images {
			s.layout = layout
			t.Run(fmt.Sprintf("seed=%d", s.seed), func(t *testing.T) {
				t.Parallel()
				s.compare(t)
			})
		}
	})
}

// randomSubject is a random image, and where it lies.
type randomSubject struct {
	seed   uint64
	rules  randomimage.Rules
	layers []randomimage.Layer
	daemon *daemon.Daemon
	layout string
	umoci  string
}

// newRandomSubject makes images of even seeds such that umoci, too, has to make
// the same of them; others may have what layer.md leaves open.
func newRandomSubject(seed uint64) randomSubject {
	rules := randomimage.Rules{Unpackable: true, Defined: seed%2 == 0}
	return randomSubject{seed: seed, rules: rules, layers: randomimage.New(seed, rules)}
}

func (s randomSubject) ref() string { return fmt.Sprintf("example.com/random:%d", s.seed) }

func (s randomSubject) build(t *testing.T) *imagetest.Content {
	t.Helper()
	image := imagetest.Image{Created: &randomimage.Created, Compression: imagetest.Compression(s.seed % 3)}
	for _, l := range s.layers {
		content, err := l.Tar()
		if err != nil {
			t.Fatal(err)
		}
		image.Tars = append(image.Tars, content)
	}
	content, err := imagetest.Build(s.ref(), image)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (s randomSubject) compare(t *testing.T) {
	defer func() {
		if t.Failed() {
			t.Logf("again by RANDOM_COUNT=1 RANDOM_SEED=%d; the image:\n%s", s.seed, randomimage.Script(s.layers))
		}
	}()
	export := []string{"export", "--progress", "quiet", "--profile", "none", "--reproducible"}
	view := ctrRootfs(t, append(export, "--address", s.daemon.Address, "--via", "view", s.ref())...).stdout
	s.compareMounted(t)
	layers := ctrRootfs(t, append(export, "--via", "layers", "oci:"+s.layout+":"+s.ref())...).stdout
	merged := readTar(t, layers)
	if !bytes.Equal(view, layers) {
		t.Errorf("- by view, + by layers:\n%s", listing.Diff(readTar(t, view), merged))
	}
	if s.rules.Defined {
		unpacked := s.unpacked(t)
		got := merged.Edit(s.madeOnlyByMarks(unpacked)).Edit(s.withoutXattrsOfRepeated)
		if diff := listing.Diff(unpacked.Edit(s.withoutXattrsOfRepeated), got); diff != "" {
			t.Errorf("- umoci, + by layers:\n%s", diff)
		}
	}
}

// compareMounted compares what is read of the snapshots as they lie with what the
// kernel's overlayfs makes of them.
func (s randomSubject) compareMounted(t *testing.T) {
	export := []string{"export", "--progress", "quiet", "--profile", "none", "--address", s.daemon.Address}
	below := ctrRootfs(t, append(export, s.ref())...).stdout
	mounted := ctrRootfs(t, append(export, committedOf(t, s.daemon, s.ref()))...).stdout
	if !bytes.Equal(below, mounted) {
		t.Errorf("- mounted, + not:\n%s", listing.Diff(readTar(t, mounted), readTar(t, below)))
	}
}

// unpacked describes what umoci unpacks, with the times of --reproducible.
func (s randomSubject) unpacked(t *testing.T) listing.Listing {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "bundle")
	if out, err := exec.Command(s.umoci, "unpack", "--image", s.layout+":"+s.ref(), bundle).CombinedOutput(); err != nil {
		t.Fatalf("umoci: %v\n%s", err, out)
	}
	l, err := listing.OfDir(filepath.Join(bundle, "rootfs"))
	if err != nil {
		t.Fatal(err)
	}
	return reproducible(l, randomimage.Created)
}

// madeOnlyByMarks drops the directories that umoci does not make: layer.md does
// not say whether the path of a whiteout makes directories, where no layer has
// them. containerd makes them.
func (s randomSubject) madeOnlyByMarks(unpacked listing.Listing) func(*listing.Entry) bool {
	there, marked := map[string]bool{}, map[string]bool{}
	for _, e := range unpacked {
		there[e.Path] = true
	}
	for _, l := range s.layers {
		for _, e := range l {
			if name := path.Clean("/" + e.Name); strings.HasPrefix(path.Base(name), ".wh.") {
				for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
					marked[dir[1:]] = true
				}
			}
		}
	}
	return func(e *listing.Entry) bool { return there[e.Path] || !marked[e.Path] || e.Type != "dir" }
}

// withoutXattrsOfRepeated clears the attributes of directories that a layer
// names twice, which layer.md forbids ("Creating"): containerd adds the later
// entry's to the earlier one's, umoci replaces them.
func (s randomSubject) withoutXattrsOfRepeated(e *listing.Entry) bool {
	for _, l := range s.layers {
		times := 0
		for _, named := range l {
			if named.Typeflag == tar.TypeDir && path.Clean("/" + named.Name)[1:] == e.Path {
				times++
			}
		}
		if times > 1 {
			e.Xattrs = nil
		}
	}
	return true
}

// reproducible gives a listing the times that --reproducible does: see
// docs/fidelity.md.
func reproducible(l listing.Listing, latest time.Time) listing.Listing {
	return l.Edit(func(e *listing.Entry) bool {
		e.Nsec = 0
		if e.Type == "dir" || e.Sec > latest.Unix() {
			e.Sec = latest.Unix()
		}
		return true
	})
}

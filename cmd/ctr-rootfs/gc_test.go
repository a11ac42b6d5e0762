package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// brokenStore fails after it did a part: no store does so when asked to.
type brokenStore struct {
	collected             snapshot.Collected
	images                []string
	collectErr, imagesErr error
}

func (b brokenStore) Collect(context.Context) (snapshot.Collected, error) {
	return b.collected, b.collectErr
}

func (b brokenStore) RemoveImages(context.Context) ([]string, error) { return b.images, b.imagesErr }

// TestGCTellsWhatItDid and no more: neither half keeps the other from its work.
func TestGCTellsWhatItDid(t *testing.T) {
	one, other := errors.New("one"), errors.New("other")
	for name, c := range map[string]struct {
		store  brokenStore
		images bool
		said   string
		fails  []error
	}{
		"nothing is there":    {said: "removed what 0 crashed runs left\n"},
		"nothing and images":  {images: true, said: "removed what 0 crashed runs left\nremoved 0 images\n"},
		"nothing is done":     {store: brokenStore{collectErr: one}, fails: []error{one}},
		"a part is done":      {store: brokenStore{collected: snapshot.Collected{Removed: []string{"a"}}, collectErr: one}, said: "removed what 1 crashed runs left\n", fails: []error{one}},
		"only images":         {store: brokenStore{images: []string{"a"}, collectErr: one}, images: true, said: "removed 1 images\n", fails: []error{one}},
		"only crashed runs":   {store: brokenStore{imagesErr: other}, images: true, said: "removed what 0 crashed runs left\n", fails: []error{other}},
		"neither of the both": {store: brokenStore{collectErr: one, imagesErr: other}, images: true, fails: []error{one, other}},
	} {
		var said strings.Builder
		err := collect(t.Context(), c.store, streams{progress: progress.New(&said)}, c.images)
		if got := strings.ReplaceAll(said.String(), "ctr-rootfs: ", ""); got != c.said {
			t.Errorf("%s: it says %q, want %q", name, got, c.said)
		}
		for _, want := range c.fails {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v in it", name, err, want)
			}
		}
		if len(c.fails) == 0 && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

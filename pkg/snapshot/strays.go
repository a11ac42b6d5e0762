package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
)

// removeOrphans removes the directories of snapshots that a process was making
// when it was killed: a new snapshot that is given the number of one fails on it.
func removeOrphans(ctx context.Context, parts map[string]snapshots.Snapshotter) error {
	for name, sn := range parts {
		cleaner, ok := sn.(snapshots.Cleaner)
		if !ok {
			continue
		}
		// A database without a snapshot is one that is not found.
		if err := cleaner.Cleanup(ctx); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("removing what snapshotter %q does not know: %w", name, err)
		}
	}
	return nil
}

// removeStrays removes what a process left in the content store that was killed,
// and that the collector does not know: the files by which the store tries what
// its filesystem can do, and downloads that had hardly begun. One that tries
// just now, with no session, takes the answer for a no, and only reads.
func (e *embedded) removeStrays() error {
	strays, err := entries(e.contentDir(), ".fsverity-check-")
	if err != nil {
		return err
	}
	ingests, err := entries(filepath.Join(e.contentDir(), "ingest"), "")
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range append(strays, unbegun(ingests)...) {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// entries gives the paths of what a directory has whose names begin with prefix.
// The content store makes its directories when it first writes there.
func entries(dir, prefix string) ([]string, error) {
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("looking for what a killed process left: %w", err)
	}
	var paths []string
	for _, entry := range found {
		if strings.HasPrefix(entry.Name(), prefix) {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	return paths, nil
}

// unbegun gives the ingests that lack a file which every other one has, so that
// the content store lists them nowhere.
func unbegun(ingests []string) []string {
	var lacking []string
	for _, ingest := range ingests {
		for _, name := range []string{"ref", "startedat", "updatedat", "data"} {
			if _, err := os.Lstat(filepath.Join(ingest, name)); errors.Is(err, os.ErrNotExist) {
				lacking = append(lacking, ingest)
				break
			}
		}
	}
	return lacking
}

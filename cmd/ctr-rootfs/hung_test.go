package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// TestFetching: only what reads, on a file system that has its files from elsewhere, is
// told as not fetched; other hints stay.
func TestFetching(t *testing.T) {
	read := func(errno syscall.Errno) error {
		return &export.ReadError{Doing: "reading", Path: "a", Err: errno}
	}
	for name, c := range map[string]struct {
		err     error
		fetched bool
	}{
		"EIO of a server":    {fetching("", "nfs4", read(syscall.EIO)), true},
		"EIO of a disk":      {fetching("", "", read(syscall.EIO)), false},
		"ENOENT of a server": {fetching("stargz", "fuse.rawBridge", read(syscall.ENOENT)), false},
		"EACCES of a server": {fetching("", "nfs4", read(syscall.EACCES)), false},
		"ESTALE":             {fetching("", "", read(syscall.ESTALE)), true},
		"ENOTCONN":           {fetching("stargz", "", read(syscall.ENOTCONN)), true},
		"aborted":            {fetching("", "fuse", read(syscall.ECONNABORTED)), true},
		"a timeout":          {fetching("", "fuse.s3fs", read(syscall.ETIMEDOUT)), true},
		"of a view":          {reason(t.Context(), &snapshot.View{}, read(syscall.ENOTCONN)), true},
		"of the output":      {reason(t.Context(), &snapshot.View{}, fmt.Errorf("writing: %w", syscall.ENOTCONN)), false},
		"of a layer":         {indexing(t.Context(), &snapshot.View{}, fmt.Errorf("reading: %w", syscall.ESTALE)), true},
		"of the spool":       {indexing(t.Context(), &snapshot.View{}, &layers.SpoolError{Dir: "/tmp", Err: syscall.ESTALE}), false},
		"of a directory":     {notFetched(snapshot.Source{}, &snapshot.SourceError{Path: "/a", Err: syscall.ENOTCONN}), true},
		"of an archive":      {notFetched(snapshot.Source{}, &snapshot.ArchiveError{Path: "a", Err: syscall.ESTALE}), true},
		"of a registry":      {notFetched(snapshot.Source{}, &snapshot.PullError{Err: syscall.ETIMEDOUT}), false},
	} {
		var e *fetchError
		if errors.As(c.err, &e) != c.fetched {
			t.Errorf("%s: %#v, want a fetchError: %v", name, c.err, c.fetched)
		}
		if hint := hintFor(c.err); c.fetched && hint == "" {
			t.Errorf("%s: it has no hint", name)
		}
	}
}

// TestReason prefers what hangs over why the work ended, and that over what came of it.
func TestReason(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("ended by the test")
	cancel(why)
	view := &snapshot.View{Snapshotter: "stargz"}
	for name, c := range map[string]struct {
		err  error
		hung bool
	}{
		"a read that hangs": {&export.StalledError{Err: why}, true},
		"a step that hangs": {fmt.Errorf("writing: %w", &hostfile.HungError{Cause: why}), true},
		"what came of it":   {syscall.EINTR, false},
	} {
		err := reason(ctx, view, c.err)
		if !errors.Is(err, why) || (hostfile.AsHung(err) != nil) != c.hung || errors.Is(err, syscall.EINTR) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := reason(ctx, view, nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}

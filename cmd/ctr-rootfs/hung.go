package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// reason gives why reading or writing a view's tree failed: what hangs, else why ctx
// ended, else err, with the file system where that could not fetch what is read.
func reason(ctx context.Context, view *snapshot.View, err error) error {
	var stalled *export.StalledError
	var read *export.ReadError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stalled):
		return ofSnapshotter(view, hostfile.Hung(ctx))
	case hostfile.AsHung(err) != nil:
		return ofSnapshotter(view, hostfile.AsHung(err))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &read):
		return fetching(view.Snapshotter, view.RemoteFileSystem(), err)
	}
	return err // it may be one of the output
}

// indexing is reason where a view's layers could not be read before any of their files.
func indexing(ctx context.Context, view *snapshot.View, err error) error {
	var spool *layers.SpoolError
	err = reason(ctx, view, err)
	if errors.As(err, &spool) {
		return err
	}
	return fetching(view.Snapshotter, view.RemoteFileSystem(), err)
}

// ofSnapshotter names the snapshotter whose files hang.
func ofSnapshotter(view *snapshot.View, err error) error {
	if view.Snapshotter == "" {
		return err
	}
	return fmt.Errorf("reading from snapshotter %q: %w", view.Snapshotter, err)
}

// fetchError is an error of reading as file systems give it that fetch files from
// elsewhere.
type fetchError struct {
	// Snapshotter is empty where files are read from none, and FileSystem is a type
	// as "fuse.stargz" where the files lie on such a one.
	Snapshotter, FileSystem string
	Err                     error
}

func (e *fetchError) Error() string { return e.Err.Error() }

func (e *fetchError) Unwrap() error { return e.Err }

// notFetched is reason where src could not be opened.
func notFetched(src snapshot.Source, err error) error {
	var dir *snapshot.SourceError
	var archive *snapshot.ArchiveError
	switch {
	case errors.As(err, &archive):
		return fetching("", hostfile.RemoteFileSystem(src.Name), err)
	case errors.As(err, &dir):
		return fetching("", hostfile.RemoteFileSystem(dir.Path), err)
	}
	return err
}

// What file systems say that have lost the server or the process behind them, and what
// such ones, but disks as well, say when they cannot fetch something (fuse(4), nfs(5)).
var (
	lostErrors  = []error{syscall.ENOTCONN, syscall.ECONNABORTED, syscall.ESTALE}
	fetchErrors = []error{syscall.EIO, syscall.ETIMEDOUT, syscall.EHOSTDOWN, syscall.ENETUNREACH, syscall.EHOSTUNREACH}
)

// fetching is a fetchError where err may come from what the file system did elsewhere.
func fetching(snapshotter, fileSystem string, err error) error {
	is := func(target error) bool { return errors.Is(err, target) }
	if slices.ContainsFunc(lostErrors, is) || fileSystem != "" && slices.ContainsFunc(fetchErrors, is) {
		return &fetchError{Snapshotter: snapshotter, FileSystem: fileSystem, Err: err}
	}
	return err
}

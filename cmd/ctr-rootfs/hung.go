package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// hung gives what err says of work that hangs; nil where it says nothing of that.
func hung(err error) *hostfile.HungError {
	var h *hostfile.HungError
	errors.As(err, &h)
	return h
}

// reason gives why reading or writing a view's tree failed: what hangs, else why ctx
// ended, else err with the file systems on which a view lies that failed to read.
func reason(ctx context.Context, view *snapshot.View, err error) error {
	var stalled *export.StalledError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stalled):
		return ofSnapshotter(view, hostfile.Hung(ctx))
	case hung(err) != nil:
		return ofSnapshotter(view, hung(err))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isFetching(err):
		return &fetchError{Snapshotter: view.Snapshotter, FileSystem: view.RemoteFileSystem(), Err: err}
	}
	return err
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
	switch {
	case !isFetching(err):
		return err
	case src.InArchive():
		return &fetchError{FileSystem: hostfile.RemoteFileSystem(src.Name), Err: err}
	case errors.As(err, &dir):
		return &fetchError{FileSystem: hostfile.RemoteFileSystem(dir.Path), Err: err}
	}
	return err
}

// isFetching says whether err may come from what a file system did elsewhere: from a
// server, or from a process that serves it (fuse(4)).
func isFetching(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EIO, syscall.ESTALE, syscall.ENOTCONN, syscall.ECONNABORTED,
		syscall.ETIMEDOUT, syscall.EHOSTDOWN, syscall.ENETUNREACH, syscall.EHOSTUNREACH,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

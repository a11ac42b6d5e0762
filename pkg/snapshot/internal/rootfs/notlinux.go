//go:build !linux

package rootfs

import (
	"context"
	"os"

	"github.com/containerd/containerd/v2/core/mount"
)

// Mounting is Linux's: elsewhere no root is opened.

// Detachable says no.
func Detachable([]mount.Mount) bool { return false }

// Open gives ErrNeedsLinux.
func Open(context.Context, []mount.Mount) (*os.File, error) { return nil, ErrNeedsLinux }

// IsEmpty gives ErrNeedsLinux.
func IsEmpty(*os.File, string) (bool, error) { return false, ErrNeedsLinux }

// OpenLower gives none.
func OpenLower([]mount.Mount) (*os.File, []string, error) { return nil, nil, nil }

// OnHost gives mounts as they are.
func OnHost(_ string, mounts []mount.Mount) ([]mount.Mount, error) { return mounts, nil }

// CheckSeen finds nothing wrong.
func CheckSeen(*os.File) error { return nil }

// OpenTask gives ErrNeedsLinux.
func OpenTask(Task) (*os.File, error) { return nil, ErrNeedsLinux }

// OpenDirectory gives ErrNeedsLinux.
func OpenDirectory(Task) (*os.File, error) { return nil, ErrNeedsLinux }

// Foreign finds none.
func Foreign(*os.File) ([]string, error) { return nil, nil }

//go:build !linux

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// What is Linux's alone; the rest works everywhere.

func (b *base) openRoot(*snapshot.View) error { return snapshot.ErrNeedsLinux }

func openDirectory(name string, _ bool) (*target, error) {
	return nil, fmt.Errorf("writing directory %q: --format dir needs Linux", name)
}

// umask is left to the system: 0022 is what nearly everybody has.
var umask os.FileMode = 0o022

func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, string) error { return errors.ErrUnsupported }

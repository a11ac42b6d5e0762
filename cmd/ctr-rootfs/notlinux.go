//go:build !linux

package main

import (
	"fmt"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// What is Linux's alone; the rest works everywhere.

func (b *base) openRoot(*snapshot.View) error { return snapshot.ErrNeedsLinux }

func openDirectory(name string, _ bool) (*target, error) {
	return nil, fmt.Errorf("writing directory %q: --format dir needs Linux", name)
}

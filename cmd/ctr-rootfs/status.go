package main

import (
	"errors"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// Exit statuses; scripts rely on them.
const (
	statusFailed   = 1
	statusUsage    = 2
	statusNotFound = 3
	// A signal's number is added to it, as shells do.
	statusSignal = 128
)

// status gives the exit status for an error.
func status(err error) int {
	var sig interrupted
	switch {
	case errors.As(err, &sig):
		return statusSignal + int(sig.signal)
	case isUsage(err):
		return statusUsage
	case errors.Is(err, snapshot.ErrNotFound):
		return statusNotFound
	}
	return statusFailed
}

// joined is errors.Join that keeps a single error as it is.
func joined(errs ...error) error {
	var kept []error
	for _, err := range errs {
		if err != nil {
			kept = append(kept, err)
		}
	}
	if len(kept) == 1 {
		return kept[0]
	}
	return errors.Join(kept...)
}

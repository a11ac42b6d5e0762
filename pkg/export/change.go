package export

import (
	"errors"
	"fmt"
	"sync"
)

// Change is what somebody did to a tree while it was read, in so far as the
// output shows it.
type Change struct {
	// Path is the name in the tree that was read, before any decorator.
	Path string
	Why  Why
}

// String is a line for people.
func (c Change) String() string { return fmt.Sprintf("%q %s", c.Path, c.Why) }

// Why says how a file of the output differs from one that stands still.
type Why string

// The reasons of a Change; GNU tar treats each in the same way.
const (
	Vanished Why = "vanished while it was read: it is left out"
	Emptied  Why = "vanished while it was read: it may be shown without what it held"
	Shrank   Why = "shrank while it was read: it is filled up with zeros"
	Grew     Why = "grew while it was read: it is cut at the size it had"
	Written  Why = "was written to while it was read"
)

// maxNamedChanges bounds how many changes are named.
const maxNamedChanges = 100

// changes collects what happened to a tree; several goroutines may tell it.
type changes struct {
	mu    sync.Mutex
	named []Change
	count int64
}

func (c *changes) add(path string, why Why) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if len(c.named) < maxNamedChanges {
		c.named = append(c.named, Change{path, why})
	}
}

// movedError says that a name of a live tree no longer stands for what the
// walk saw there. Who gets one looks the name up again, and calls gone where
// that finds nothing.
type movedError struct {
	path string
	err  error
	told *changes
}

func (e *movedError) Error() string { return e.err.Error() }
func (e *movedError) Unwrap() error { return e.err }

// gone reports that the name is not in the output, or not with all that it had.
func (e *movedError) gone(why Why) { e.told.add(e.path, why) }

// asMoved gives the movedError in err, or nil.
func asMoved(err error) *movedError {
	var moved *movedError
	if errors.As(err, &moved) {
		return moved
	}
	return nil
}

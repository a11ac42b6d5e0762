package registry

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

var (
	// ErrAbsent tells a name that the registry does not have from a part of an
	// image that it should have.
	ErrAbsent = errors.New("no such image")
	// ErrCut says that a connection ended too early, or stood still.
	ErrCut = errors.New("the connection was cut")
	// errIdle says that a registry said nothing for too long.
	errIdle = errors.New("no answer")
)

// BusyError says that a registry went on refusing requests for now.
type BusyError struct {
	Code int // the HTTP status
	// After is how long the registry asks to wait, 0 where it does not say.
	After time.Duration
}

func (e *BusyError) Error() string {
	if e.After > 0 {
		return fmt.Sprintf("%d %s, for another %s", e.Code, http.StatusText(e.Code), e.After)
	}
	return fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
}

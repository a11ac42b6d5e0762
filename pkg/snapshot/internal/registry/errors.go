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
	// ErrSchema1 says that what the registry has is sent as a manifest of
	// docker's schema 1, which containerd 2 does not read.
	ErrSchema1 = errors.New("the manifest is of docker's schema 1, which is read no more, or plain text")
	// ErrCut says that a connection ended too early, or stood still.
	ErrCut = errors.New("the connection was cut")
	// errIdle says that a registry said nothing for too long.
	errIdle = errors.New("no answer")
)

// MediaTypeError says that what the registry has under an image's name is of a
// kind that is neither an image's manifest nor an index.
type MediaTypeError struct{ MediaType string }

func (e *MediaTypeError) Error() string {
	return fmt.Sprintf("the media type %q is no image's", e.MediaType)
}

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

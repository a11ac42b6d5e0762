// Package hostfile is about files of this host that somebody else names: opening
// one may block for ever, and its errors are told in the words of who asked.
package hostfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Await gives what fn gives, which may block for ever. Where ctx ends first it
// gives ctx's cause; fn cannot be stopped, and what it gives in the end goes to
// late.
func Await[T any](ctx context.Context, fn func() (T, error), late func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result)
	go func() {
		value, err := fn()
		select {
		case done <- result{value, err}:
		case <-ctx.Done():
			if err == nil {
				late(value)
			}
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// Open opens a file that may be a FIFO, for reading or for writing by flag:
// opening one waits for its other end, which only ctx can end. What opens after
// that is closed. On a file system that has its files from elsewhere it is a
// HungError.
func Open(ctx context.Context, name string, flag int) (*os.File, error) {
	file, err := Await(ctx, func() (*os.File, error) {
		return os.OpenFile(name, flag, 0)
	}, func(file *os.File) { file.Close() })
	if err == nil || ctx.Err() == nil {
		return file, err
	}
	if from := RemoteFileSystem(name); from != "" {
		err = &HungError{Cause: context.Cause(ctx), Calls: []Call{{"opening", name, from}}}
	}
	return nil, err
}

// WithoutPath drops the path from an error that is about to be told with it, or
// whose path says nothing.
func WithoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

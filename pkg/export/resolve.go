package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
)

// maxSymlinks is how many symlinks one path may lead through: Linux's own
// limit (path_resolution(7)).
const maxSymlinks = 40

// Resolve follows path inside the root as a process that was chrooted there
// would: absolute symlinks start at the root, ".." never leaves it, and the
// last component is followed too.
//
// resolved is clean and relative, "." for the root. Where a component does not
// exist, e is nil, err wraps fs.ErrNotExist and resolved says where the path
// would be. More than 40 symlinks are an error that wraps syscall.ELOOP.
func Resolve(ctx context.Context, t Tree, path string) (resolved string, e *Entry, err error) {
	return resolve(ctx, t, path, true)
}

// resolve is Resolve; without followLast what stands at the resolved path may be
// a symlink.
func resolve(ctx context.Context, t Tree, path string, followLast bool) (string, *Entry, error) {
	at, todo := "", components(path)
	var found *Entry
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if name == ".." {
			at, found = parentOf(at), nil
			continue
		}
		next := join(at, name)
		e, err := t.Lookup(ctx, next)
		if err != nil {
			return lexical(next, todo), nil, resolving(path, err)
		}
		if e.Type == Symlink && (followLast || len(todo) > 0) {
			if links++; links > maxSymlinks {
				return next, nil, resolving(path, syscall.ELOOP)
			}
			if e.Target == "" {
				return next, nil, resolving(path, fs.ErrNotExist)
			}
			todo = append(components(e.Target), todo...)
			if strings.HasPrefix(e.Target, "/") {
				at = ""
			}
			found = nil
			continue
		}
		if e.Type != Directory && len(todo) > 0 {
			return lexical(next, todo), nil, resolving(path, notADirectory(next))
		}
		at, found = next, e
	}
	if found != nil {
		return at, found, nil
	}
	if at == "" {
		at = "."
	}
	e, err := t.Lookup(ctx, at)
	if err != nil {
		return at, nil, resolving(path, err)
	}
	return at, e, nil
}

// resolving names the path that was asked for: Lookup's own error names where
// its symlinks led.
func resolving(path string, err error) error {
	return fmt.Errorf("resolving %q: %w", path, err)
}

// notADirectory is Linux's ENOTDIR for Tree's callers: a name below dir is not
// there.
func notADirectory(dir string) error {
	return fmt.Errorf("%q is not a directory: %w", dir, fs.ErrNotExist)
}

// notFound is what Lookup answers for a name that is not there.
func notFound(path string) error {
	return fmt.Errorf("looking up %q: %w", path, fs.ErrNotExist)
}

// lexical joins the names that are left to a path that does not exist; ".." in
// them can only be taken by the letter.
func lexical(at string, names []string) string {
	for _, name := range names {
		if name == ".." {
			at = parentOf(at)
			continue
		}
		at = join(at, name)
	}
	if at == "" {
		return "."
	}
	return at
}

// ReadFile resolves path and reads the regular file there. Anything else is an
// error and never opened: a FIFO would block, a device act. So is a file of
// more than limit bytes.
func ReadFile(ctx context.Context, t Tree, path string, limit int64) ([]byte, error) {
	_, e, err := Resolve(ctx, t, path)
	if err != nil {
		return nil, err
	}
	if e.Type != Regular {
		return nil, fmt.Errorf("reading %q: it is a %s, not a regular file", path, e.Type)
	}
	if e.Size > limit {
		return nil, fmt.Errorf("reading %q: its %d bytes are over the limit of %d", path, e.Size, limit)
	}
	if e.Open == nil {
		return nil, nil
	}
	body, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading %q: it grew over the limit of %d bytes while it was read", path, limit)
	}
	return data, nil
}

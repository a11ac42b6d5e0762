// Package listing describes a root filesystem as text, an entry a line, the
// same from a directory on disk and from a tar, so that one can be compared
// with the other. It reads with system calls and with Go's archive/tar, never
// with the project's own code, which it is there to check.
package listing

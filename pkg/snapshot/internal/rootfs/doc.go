// Package rootfs opens the root directory that a snapshot's mounts make up.
//
// In go mounts as a snapshotter gives them, or the root directory of a container, all
// of which name directories, files and devices of the daemon's host; out comes one
// descriptor of the root directory, which holds whatever had to be mounted: no mount
// namespace that anyone else is in shows it, and it ends with the descriptor, which is
// the caller's to close. What is mounted is read-only; an active snapshot's mounts go
// through ReadOnly first.
//
// The package knows no store, no image and no lease, and reads no file of a
// root.
package rootfs

// Package snapshot finds a root filesystem and opens it: it turns a SOURCE
// into an image, unpacks the image where that is still to be done, takes a
// read-only view of it under a lease, and gives the root directory of that
// view as one descriptor.
//
// It speaks to containerd, either to a daemon or to a store that containerd's
// own parts make up inside this process; both are reached through one client
// and one code path. The mount that a view needs is visible in no mount
// namespace and ends with the descriptor, so that a killed process leaves
// none behind.
//
// The package knows no tar, reads no file of an image but its manifest and
// config, and never writes to a snapshot.
package snapshot

// Package snapshot finds a root filesystem and opens it: it turns a SOURCE
// into an image, unpacks the image where that is still to be done, takes a
// read-only view of it under a lease, and gives the root directory of that
// view as one descriptor; or it gives the image's layers as they are, out of a
// store or of an archive, which takes no mount and no store.
//
// It speaks to containerd, either to a daemon or to a store that containerd's
// own parts make up inside this process; both are reached through one client
// and one code path. The mount that a view needs is visible in no mount
// namespace and ends with the descriptor, so that a killed process leaves
// none behind.
//
// The package reads no layer except to unpack it, which the embedded store has to
// do itself, and the start of one of which a daemon made nothing; of an archive's
// tar it reads only where its blobs lie. It writes to the snapshots that it
// unpacks, and to no other.
package snapshot

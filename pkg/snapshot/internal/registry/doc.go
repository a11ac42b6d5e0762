// Package registry reaches images in registries for a pull.
//
// In goes a Config, an image's name and a store of blobs; out comes a resolver
// that containerd's client pulls by, and which can fetch the documents alone. It
// finds the hosts that serve a name (hosts.toml), what to log in with (docker's
// config.json), waits for a registry that refuses for now, and has what breaks
// or stands still be resumed. What is wrong is said by the errors below and by
// those of containerd's resolver; secrets go to the host that asks, and into no
// log.
//
// The package names no image, unpacks none, and knows no client and no lease.
package registry

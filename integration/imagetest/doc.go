// Package imagetest builds container images byte by byte: layer tars with any
// header and any bytes, configs, manifests and indexes, written as an OCI
// layout, an OCI archive or a docker-archive.
//
// Everything is deterministic: the same literals give the same digests. The
// package uses no tar library, so that nothing on the way tidies what a test
// wants to be untidy, and it checks nothing: a broken image is built as readily
// as a good one.
package imagetest

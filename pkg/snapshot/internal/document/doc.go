// Package document reads the documents of images: indexes, manifests and configs.
//
// In goes a descriptor and a store of blobs; out comes the document, or why it is
// not what its descriptor says. Every way of reading an image goes through here:
// archives, layouts, embedded stores, daemons and registries. The package chooses no
// image and reads no layer.
package document

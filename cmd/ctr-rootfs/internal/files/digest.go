package files

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// Digested passes writes on to another writer, and takes their SHA-256 beside
// that: hashing a buffer takes about as long as writing it does.
type Digested struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

// NewDigested passes writes on to w.
func NewDigested(w io.Writer) *Digested { return &Digested{w: w, hash: sha256.New()} }

func (d *Digested) Write(p []byte) (int, error) {
	hashed := make(chan struct{})
	go func() {
		d.hash.Write(p) // never fails (package hash)
		close(hashed)
	}()
	n, err := d.w.Write(p)
	<-hashed
	d.size += int64(n)
	return n, err
}

// Size gives the number of bytes that were written.
func (d *Digested) Size() int64 { return d.size }

// Sum gives their digest in hexadecimal.
func (d *Digested) Sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// Package inflate reads streams that may be compressed: layers and archives.
//
// In goes a stream; out comes what is in its gzip or zstd wrapping (an archive's
// may be xz or bzip2, too), checked to its end, within a Quota of bytes that
// several streams may share, and read Ahead of whoever writes it somewhere. It
// starts no program and writes no file.
package inflate

package erofs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Dirent is a name in a directory and the inode that it has.
type Dirent struct {
	Name string
	Nid  uint64
}

// ReadDir visits the names of a directory in their order, without "." and "..".
// Linux finds names by halving, so those that are not in order, or twice, are an
// error, and so is one that no path can have.
func (i *Inode) ReadDir(visit func(Dirent) error) error {
	if i.Mode&TypeMask != TypeDir {
		return errors.New("it is not a directory")
	}
	var last []byte
	block := make([]byte, i.image.blockSize())
	for offset := int64(0); offset < i.Size; offset += i.image.blockSize() {
		part := block[:min(int64(len(block)), i.Size-offset)]
		if _, err := i.ReadAt(part, offset); err != nil {
			return fmt.Errorf("reading the directory's block at %d: %w", offset, err)
		}
		if err := readDirents(part, &last, visit); err != nil {
			return err
		}
	}
	return nil
}

// readDirents visits a block of a directory: entries, then their names, each of
// which ends where the next one begins.
func readDirents(block []byte, last *[]byte, visit func(Dirent) error) error {
	if len(block) < direntSize {
		return fmt.Errorf("a directory's block of %d bytes", len(block))
	}
	names := nameOffset(block)
	if names < direntSize || names%direntSize != 0 || names > len(block) {
		return fmt.Errorf("a directory's block whose names begin at %d", names)
	}
	for at := 0; at < names; at += direntSize {
		begin, end := nameOffset(block[at:]), len(block)
		if at+direntSize < names {
			end = nameOffset(block[at+direntSize:])
		}
		if begin < names || begin >= end || end > len(block) {
			return fmt.Errorf("a name from %d to %d of a directory's block", begin, end)
		}
		name := block[begin:end]
		if at+direntSize == names { // zeros may fill the block
			name, _, _ = bytes.Cut(name, []byte{0})
		}
		if err := checkName(name, *last); err != nil {
			return err
		}
		*last = append((*last)[:0], name...)
		if string(name) == "." || string(name) == ".." {
			continue
		}
		if err := visit(Dirent{Name: string(name), Nid: binary.LittleEndian.Uint64(block[at:])}); err != nil {
			return err
		}
	}
	return nil
}

// nameOffset gives where in a block the name of an entry begins.
func nameOffset(entry []byte) int { return int(binary.LittleEndian.Uint16(entry[8:])) }

func checkName(name, last []byte) error {
	switch {
	case len(name) == 0 || len(name) > maxName:
		return fmt.Errorf("a name of %d bytes", len(name))
	case bytes.ContainsAny(name, "/\x00"):
		return fmt.Errorf("the name %q", name)
	case bytes.Compare(name, last) <= 0:
		return fmt.Errorf("the name %q comes after %q", name, last)
	}
	return nil
}

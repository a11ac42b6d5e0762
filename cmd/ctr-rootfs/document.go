package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxDocument is more than any config.json or list of patterns has: a device
// that never ends must not fill the memory.
const maxDocument = 16 << 20

// openDocument opens a file that a flag names. A FIFO that nobody writes to is
// empty instead of blocking; one with a writer, as a shell's <(...) is, is read.
func openDocument(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// readDocument gives the whole content of a file that a flag names.
func readDocument(name string) ([]byte, error) {
	file, err := openDocument(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxDocument+1))
	if err == nil && len(data) > maxDocument {
		err = fmt.Errorf("%q has more than %d bytes", name, maxDocument)
	}
	return data, err
}

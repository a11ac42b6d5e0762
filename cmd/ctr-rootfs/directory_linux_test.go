package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDirectoryThatIsAFIFO is refused at once: opening it would wait for ever.
func TestDirectoryThatIsAFIFO(t *testing.T) {
	name := fifo(t)
	refused := make(chan error, 1)
	go func() {
		_, err := openDirectory(name, false)
		refused <- err
	}()
	select {
	case err := <-refused:
		if !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("--format dir -o FIFO: %v, want %v", err, unix.ENOTDIR)
		}
	case <-time.After(5 * time.Second):
		t.Error("--format dir -o FIFO waits for the FIFO's other end")
		if other, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			other.Close() // lets the goroutine end
		}
	}
	if _, err := os.Lstat(name); err != nil {
		t.Errorf("the FIFO is not there any more: %v", err)
	}
}

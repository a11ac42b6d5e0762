// Command churn is what a container does in tests of roots that change:
//
//	churn            waits until it is told to end
//	churn FILE TEXT  writes a file, then waits
//	churn --socket S listens on a socket at S, then waits
//	churn --busy DIR makes, grows, shrinks, replaces and removes files in DIR
//
// It ends with status 0 on SIGTERM.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "--busy":
		err = busy(os.Args[2], ended)
	case len(os.Args) == 3 && os.Args[1] == "--socket":
		var listener net.Listener
		if listener, err = net.Listen("unix", os.Args[2]); err == nil {
			<-ended
			err = listener.Close()
		}
	case len(os.Args) == 3:
		if err = os.WriteFile(os.Args[1], []byte(os.Args[2]), 0o644); err == nil {
			<-ended
		}
	default:
		<-ended
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "churn:", err)
		os.Exit(1)
	}
}

// busy changes files in dir in every way until it is told to end.
func busy(dir string, ended <-chan os.Signal) error {
	const files, small, large = 400, 1 << 10, 64 << 10
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := 0; ; i++ {
		select {
		case <-ended:
			return nil
		default:
		}
		name := filepath.Join(dir, fmt.Sprintf("file%03d", i*7%files))
		// Each round does something else to the same file.
		if err := change(name, i+i/files, small, large); err != nil {
			return err
		}
	}
}

func change(name string, i, small, large int) error {
	text := func(size int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, size) }
	switch i % 5 {
	case 0, 1:
		return os.WriteFile(name, text(large), 0o644)
	case 2:
		if err := os.Truncate(name, int64(small)); err != nil && !os.IsNotExist(err) {
			return err
		}
	case 3:
		if err := os.WriteFile(name+".new", text(large/2), 0o644); err != nil {
			return err
		}
		return os.Rename(name+".new", name)
	case 4:
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Remove(name + ".link"); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.WriteFile(name, text(small), 0o644); err != nil {
			return err
		}
		return os.Link(name, name+".link")
	}
	return nil
}

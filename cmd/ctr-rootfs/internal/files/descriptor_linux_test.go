package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestDescriptor writes to what this process has open already, by the names that
// it has in /dev and /proc: behind what is there, also where the file has no name.
func TestDescriptor(t *testing.T) {
	for _, form := range []string{"/dev/fd/%d", "/proc/self/fd/%d", "link to /dev/fd/%d"} {
		for _, named := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, named %v", form, named), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "out")
				file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if !named {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := file.WriteString("before "); err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf(form, file.Fd())
				if form[0] == 'l' {
					name = filepath.Join(t.TempDir(), "link")
					if err := os.Symlink(fmt.Sprintf("/dev/fd/%d", file.Fd()), name); err != nil {
						t.Fatal(err)
					}
				}
				out, err := Create(t.Context(), name, os.Stdout)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := out.Write([]byte("data")); err != nil {
					t.Fatal(err)
				}
				if err := out.Finish(); err != nil {
					t.Fatal(err)
				}
				if _, err := file.WriteString(" after"); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 100)
				n, _ := file.ReadAt(got, 0) // it has fewer
				if string(got[:n]) != "before data after" {
					t.Errorf("the file holds %q", got[:n])
				}
			})
		}
	}
}

// TestDescriptorOfATerminal refuses a terminal by such a name, too.
func TestDescriptorOfATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if _, err := Create(t.Context(), fmt.Sprintf("/dev/fd/%d", terminal.Fd()), os.Stdout); !errors.Is(err, ErrTerminal) {
		t.Errorf("got %v, want %v", err, ErrTerminal)
	}
	if _, err := Create(t.Context(), "/dev/fd/9999", os.Stdout); err == nil {
		t.Error("a descriptor that is not open was taken")
	}
}

// Command image writes the demo's image as an OCI archive: two layers around a
// static program.
//
//	image PROGRAM OUTPUT
package main

import (
	"fmt"
	"os"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// capNetBindService is CAP_NET_BIND_SERVICE of linux/capability.h as a set.
const capNetBindService = 1 << 10

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: image PROGRAM OUTPUT")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func write(program, output string) (err error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	content, err := imagetest.Build("example.com/demo:1", demo(data))
	if err != nil {
		return err
	}
	f, err := os.Create(output)
	if err != nil {
		return fmt.Errorf("creating the archive: %w", err)
	}
	if err := content.WriteArchive(f); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	return f.Close()
}

func demo(program []byte) imagetest.Image {
	created := time.Date(2024, time.May, 6, 7, 8, 9, 0, time.UTC)
	hello := imagetest.File("usr/bin/hello", 0o755, "")
	hello.Body = program
	base := imagetest.Layer{
		imagetest.Symlink("bin", "usr/bin"),
		imagetest.Dir("etc", 0o755),
		imagetest.File("etc/group", 0o644, "root:x:0:\ndemo:x:1000:\n"),
		imagetest.File("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\ndemo:x:1000:1000:Demo:/home/demo:/bin/sh\n"),
		imagetest.Dir("home", 0o755), imagetest.Dir("home/demo", 0o700).Own(1000, 1000),
		imagetest.File("home/demo/old-notes", 0o644, "the second layer removes this\n").Own(1000, 1000),
		imagetest.Dir("usr", 0o755), imagetest.Dir("usr/bin", 0o755), hello,
		imagetest.Link("usr/bin/hi", "usr/bin/hello"),
	}
	change := imagetest.Layer{
		imagetest.Dir("home/demo", 0o700).Own(1000, 1000), imagetest.Whiteout("home/demo", "old-notes"),
		imagetest.File("home/demo/notes", 0o600, "from the second layer\n").Own(1000, 1000),
		imagetest.File("usr/bin/server", 0o755, "a file with a capability\n").Capability(capNetBindService),
	}
	return imagetest.Image{
		Created: &created,
		Config: ispec.ImageConfig{
			User: "demo", Env: []string{"PATH=/usr/bin:/bin"}, WorkingDir: "/home/demo",
			Entrypoint: []string{"/bin/hello"}, Cmd: []string{"hello from a container that docker never saw"},
		},
		Layers: []imagetest.Layer{base, change},
	}
}

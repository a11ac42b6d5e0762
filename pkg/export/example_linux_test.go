package export_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// A directory is read by its descriptor, which may be that of a mount that no
// mount namespace has: snapshot.View gives one.
func ExampleNewDirTree() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example leaves its folder at worst
	if err := os.Symlink("usr/bin", filepath.Join(dir, "bin")); err != nil {
		log.Fatal(err)
	}

	root, err := os.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	tree := export.NewDirTree(root) // root is the tree's from here on
	var out bytes.Buffer
	_, err = export.Write(context.Background(), tree, export.NewTar(&out))
	if err != nil {
		log.Fatal(err)
	}
	if err := tree.Close(); err != nil {
		log.Fatal(err)
	}
	printTar(&out)
	fmt.Println(out.Len()%512, "bytes over")
	// Output:
	// 0777 bin
	// 0 bytes over
}

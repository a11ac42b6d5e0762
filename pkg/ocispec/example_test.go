package ocispec_test

import (
	"errors"
	"fmt"
	"log"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// An image config becomes a config.json. The image names its user, so the
// root's own passwd and group are needed.
func ExampleNew() {
	image := ispec.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ispec.RootFS{Type: "layers"},
		Config: ispec.ImageConfig{
			User: "app", WorkingDir: "/srv", Entrypoint: []string{"/bin/app"}, Cmd: []string{"serve"},
		},
	}
	options := ocispec.Options{ReadOnly: true, Memory: 512 << 20}
	accounts := ocispec.Accounts{
		Passwd: []byte("root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n"),
		Group:  []byte("audio:x:29:app\n"),
	}
	fmt.Println("looks into passwd:", ocispec.NeedsAccounts(image, options))

	spec, err := ocispec.New(image, accounts, options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(spec.Process.Args, spec.Process.Cwd, spec.Process.Env)
	fmt.Println(spec.Process.User.UID, spec.Process.User.GID, spec.Process.User.AdditionalGids)
	text, err := ocispec.Marshal(spec) // the bytes of config.json
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ocispec.Check(text); err != nil {
		log.Fatal(err)
	}
	// Output:
	// looks into passwd: true
	// [/bin/app serve] /srv [PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/srv]
	// 1000 1001 [29]
}

// An image that says nothing about what to run needs Args.
func ExampleErrNoArgs() {
	image := ispec.Image{Platform: ispec.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ispec.RootFS{Type: "layers"}}
	_, err := ocispec.New(image, ocispec.Accounts{}, ocispec.Options{})
	fmt.Println(errors.Is(err, ocispec.ErrNoArgs))
	// Output: true
}

// The places that config.json mounts on: a root that has them starts read-only.
func ExampleMountPoints() {
	image := ispec.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ispec.RootFS{Type: "layers"},
		Config:   ispec.ImageConfig{Volumes: map[string]struct{}{"/data": {}}},
	}
	spec, err := ocispec.New(image, ocispec.Accounts{}, ocispec.Options{Args: []string{"/bin/app"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, point := range ocispec.MountPoints(spec) {
		fmt.Println(point.Path)
	}
	// Output:
	// data
	// dev
	// dev/mqueue
	// dev/pts
	// dev/shm
	// proc
	// sys
}

package main

import (
	"fmt"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// The values of --spec.
const (
	specOfImage     = "image"
	specOfContainer = "container"
)

// checkContainer reads --spec container, which no other flag may change, and
// whether SOURCE has one to give.
func (f *configFlags) checkContainer(source string) error {
	if f.source != specOfContainer {
		return usagef("reading --spec %q: it is image or container", f.source)
	}
	if f.file != "" {
		return usagef("reading --spec container: --config is another config.json")
	}
	if len(f.options.Args) > 0 {
		return usagef("reading --spec container: arguments after -- would change it")
	}
	if other := f.generating(); other != "" {
		return usagef("reading --spec container: --%s would change it", other)
	}
	src, err := snapshot.ParseSource(source)
	if err != nil {
		return usageError{err}
	}
	if !src.HasTask() {
		return usagef("reading --spec container: %q is no container and no pod", source)
	}
	return nil
}

// containerSpec gives the container's own config.json, for a root filesystem in
// rootfs/ beside it.
func containerSpec(o *opened) ([]byte, *rspec.Spec, error) {
	if len(o.view.Container.Spec) == 0 {
		return nil, nil, &recordError{id: o.view.Container.ID}
	}
	spec, err := ocispec.CheckContainer(o.view.Container.Spec)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the spec of container %q: %w", o.view.Container.ID, err)
	}
	text, err := ocispec.Marshal(spec)
	return text, spec, err
}

// recordError says that a container has left a snapshot, and no spec.
type recordError struct{ id string }

func (e *recordError) Error() string {
	return fmt.Sprintf("reading the spec of container %q: containerd has no record of it any more", e.id)
}

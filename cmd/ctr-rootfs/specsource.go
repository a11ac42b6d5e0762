package main

import (
	"fmt"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// The values of --spec.
const (
	specOfImage     = "image"
	specOfContainer = "container"
)

// checkSource reads --spec container, which no other flag may change.
func (f *configFlags) checkSource() error {
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
	return nil
}

// containerSpec gives the container's own config.json, for a root filesystem in
// rootfs/ beside it.
func containerSpec(o *opened) ([]byte, *rspec.Spec, error) {
	if o.view.Container == nil {
		return nil, nil, usagef("reading --spec container: %q is no container and no pod", o.source)
	}
	spec, err := ocispec.CheckContainer(o.view.Container.Spec)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the spec of container %q: %w", o.view.Container.ID, err)
	}
	text, err := ocispec.Marshal(spec)
	return text, spec, err
}

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// nameHint knows how other programs name images, and where those are.
func nameHint(e *snapshot.NameError) string {
	prefix, name, _ := strings.Cut(e.Name, ":")
	isURL := strings.HasPrefix(name, "//") && prefix != "file"
	switch {
	case isURL && prefix == "containerd":
		return "a container is named as container:ID, one of Kubernetes with --namespace k8s.io"
	case isURL:
		return fmt.Sprintf("a registry's image is named without %s", prefix+"://")
	case strings.HasPrefix(e.Name, "/"), strings.HasPrefix(e.Name, "~/"), strings.HasPrefix(e.Name, "."), e.Name == "-":
		prefix = "file"
	}
	switch prefix {
	case "registry":
		return fmt.Sprintf("a registry's image is named without %s", "registry:")
	case "docker-daemon", "docker":
		return fmt.Sprintf("use docker save %s | ctr-rootfs export docker-archive:-, or --namespace moby where docker has the containerd image store", name)
	case "containers-storage", "podman":
		return fmt.Sprintf("use podman save %s | ctr-rootfs export docker-archive:-", name)
	case "dir", "ostree", "sif":
		return fmt.Sprintf("make a layout of it: skopeo copy %s oci:DIR", e.Name)
	case "file", "oci-dir", "tarball":
		return "a file is named as oci-archive:FILE or docker-archive:FILE, a layout as oci:DIR"
	}
	return "ctr-rootfs images lists the names of the store"
}

func incompleteHint(e *snapshot.IncompleteError) string {
	var name *snapshot.NameError
	if errors.As(e, &name) {
		return "pull it by the name that it has in a registry"
	}
	return "leave out --pull never to pull it"
}

func absentHint(e *snapshot.AbsentError) string {
	switch {
	case len(e.Snapshotters) > 0:
		return "use --snapshotter " + e.Snapshotters[0]
	case len(e.Namespaces) > 0:
		return "use --namespace " + e.Namespaces[0]
	case e.Embedded != "" && e.Kind != snapshot.SnapshotKey:
		return "that has no containers: name the socket of the containerd that has it with --address"
	case e.Docker != "":
		return fmt.Sprintf("docker's containers are in namespace %s, by id (docker inspect --format '{{.Id}}' NAME), stopped ones with the containerd image store only: else use docker export", e.Docker)
	}
	return ""
}

func ambiguousHint(e *snapshot.AmbiguousError) string {
	if e.Kind == snapshot.PodName {
		return "name one of them, as pod:" + e.Have[0]
	}
	return "give more of its id"
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

const troubleshooting = "../../docs/troubleshooting.md"

// shownErrors are the errors of docs/troubleshooting.md that take a machine in
// a certain state; TestDocs in integration/ provokes the others.
func shownErrors() []error {
	const socket, image = "/run/containerd/containerd.sock", "docker.io/library/alpine:3.20"
	absent := errors.New("content digest sha256:54bf...: not found")
	return []error{
		&snapshot.SocketError{Address: socket, Elsewhere: "/run/k3s/containerd/containerd.sock", Err: syscall.ENOENT},
		&snapshot.SocketError{Address: socket, Err: syscall.EACCES},
		&snapshot.SocketError{Address: socket, Err: syscall.ECONNREFUSED},
		&snapshot.SocketError{Address: socket, Err: errors.New("no answer within 10s")},
		&snapshot.UndoError{Key: "ctr-rootfs-3f9a", Err: errors.New("connection refused")},
		fmt.Errorf("choosing the embedded store: %w", snapshot.ErrNoHome),
		&snapshot.IncompleteError{Image: image, Store: "containerd at \"" + socket + "\"", Err: absent},
		&snapshot.IncompleteError{Image: "Web:1", Store: "containerd at \"" + socket + "\"", Err: fmt.Errorf("%w; %w", absent, &snapshot.NameError{Name: "Web:1", Err: errors.New("invalid reference format: repository name (library/Web) must be lowercase")})},
		&snapshot.PlatformError{Image: image, Want: "linux/amd64", Have: []string{"linux(+erofs)/amd64"}},
		&snapshot.FeatureError{Image: image, Platform: "linux(+erofs)/amd64", Snapshotter: "overlayfs", Others: []string{"erofs"}, ByLayers: true},
		&snapshot.FeatureError{Image: image, Platform: "linux(+erofs)/amd64", Snapshotter: "overlayfs", Others: []string{"erofs"}},
		&snapshot.FeatureError{Image: image, Platform: "linux(+erofs)/amd64", Snapshotter: "overlayfs"},
		fmt.Errorf("finding image %q: %w", "oci:layout:sha256-91ef.sig", &snapshot.ArtifactError{
			Document: "manifest sha256:54bf...", What: "a signature",
			MediaType: "application/vnd.dev.cosign.simplesigning.v1+json", Digest: "sha256:0a1b...", Layer: 1, Layers: 1,
		}),
		&snapshot.ContentError{Image: image, Snapshotter: "native", Others: []string{"overlayfs"}, Err: absent},
		&snapshot.ContentError{Image: image, Snapshotter: "overlayfs", Err: absent},
		&snapshot.DiscardedError{Image: image, Err: errors.New("layer sha256:54bf...: not found")},
		&snapshot.UnpackError{Image: image, Snapshotter: "erofs", Err: errors.New("mkfs.erofs: exit status 1")},
		&snapshot.UnpackError{Image: image, Snapshotter: "overlayfs", Err: errors.New("failed to extract layer sha256:54bf...: lstat /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs/usr/lib: not a directory")},
		&snapshot.UnpackError{Image: image, Snapshotter: "overlayfs", Err: fmt.Errorf("unpacking layer sha256:54bf...: %w: %w", snapshot.ErrOnOverlay, syscall.EPERM)},
		fmt.Errorf("reading the layers of image %q: %w", "docker.io/library/app:1", layerType("application/vnd.oci.image.layer.nydus.blob.v1", 1, 1)),
		fmt.Errorf("reading manifest sha256:9ae1...: %w", layerType("application/vnd.cncf.helm.chart.content.v1.tar+gzip", 1, 1)),
		&snapshot.ArchiveError{Path: "app.tar", Err: layerType("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", 2, 3)},
		fmt.Errorf("reading %q: reading layer 1 of 1 (blob sha256:54bf..., diff ID sha256:9ae1...): %w", "oci-archive:app.tar",
			&layers.ContentError{MediaType: "application/vnd.oci.image.layer.v1.tar", Found: "xz"}),
		fmt.Errorf("reading %q: reading layer 1 of 1 (blob sha256:54bf..., diff ID sha256:54bf...): reading it as its media type \"application/vnd.erofs.layer.v1\" says: %w", "app:1",
			&layers.FilesystemError{What: "compressed files (lz4)", Compressed: true}),
		fmt.Errorf("reading %q: reading layer 1 of 1 (blob sha256:54bf..., diff ID sha256:54bf...): reading it as its media type \"application/vnd.erofs.layer.v1\" says: %w", "app:1",
			&layers.FilesystemError{What: "data on other devices"}),
		&snapshot.PullError{Image: "private.example.com/library/alpine:3.20", Err: fmt.Errorf("looking up the credentials of %q in %q: %w", "private.example.com", "/root/.docker/config.json", snapshot.ErrRegistryToken)},
		&snapshot.ArchiveError{Path: "saved.tar", Err: &snapshot.OtherListError{
			Other: snapshot.Source{Kind: snapshot.DockerArchive, Name: "saved.tar"}, List: "manifest.json",
			Err: errors.New("reading manifest sha256:54bf...: it lists 0 layers, its config 2 diff IDs"),
		}},
		&snapshot.OtherListError{
			Other: snapshot.Source{Kind: snapshot.DockerArchive, Name: "saved.tar"}, List: "manifest.json",
			Err: &snapshot.ReferenceError{Path: "saved.tar", Elsewhere: []string{"docker.io/library/web:1"}},
		},
		&snapshot.ArchiveError{Path: "app.tar.lz4", Err: &snapshot.ForeignError{What: "lz4", Command: "lz4 -dc FILE"}},
		&snapshot.ArchiveError{Path: "app.tar.xz", Err: &snapshot.ForeignError{What: "xz with a dictionary of more than 128 MiB", Command: "xz -dc FILE"}},
		&snapshot.ArchiveError{Path: "old.tar", Err: snapshot.ErrOldDocker},
		&snapshot.SpoolError{Dir: "/tmp", Err: syscall.ENOSPC},
		&snapshot.AbsentError{Kind: snapshot.ContainerID, Name: "web", Namespace: "default", Embedded: "/var/lib/ctr-rootfs"},
		&snapshot.AbsentError{Kind: snapshot.SnapshotKey, Name: "build-1", Namespace: "default", Snapshotter: "overlayfs", Snapshotters: []string{"native"}},
		&snapshot.AmbiguousError{Kind: snapshot.ContainerID, Name: "4f", Have: []string{"4f7e2b", "4fc001"}},
		&snapshot.AmbiguousError{Kind: snapshot.PodName, Name: "web", Have: []string{"default/web/app", "default/web/sidecar"}},
		&snapshot.ShiftedError{Key: "4f7e2b"},
		rootOfWeb(&snapshot.SourceError{Path: "/srv/web", Err: snapshot.ErrNotTaskRoot}),
		rootOfWeb(&snapshot.SourceError{Path: "/srv/web", Err: snapshot.ErrNothingThere}),
		rootOfWeb(&snapshot.SourceError{Path: "/srv/web", Err: snapshot.ErrLinkedRoot}),
		rootOfWeb(&snapshot.SourceError{Path: "/", Err: snapshot.ErrHostRoot}),
		rootOfWeb(snapshot.ErrNoRoot),
		&changedError{source: "container:web", files: 2},
		&snapshot.SourceError{Path: "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs", Err: syscall.EACCES},
		&snapshot.SourceError{Path: "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs", Err: syscall.ENOENT},
		&snapshot.SourceError{Path: "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs", HostRoot: "/host", Err: syscall.ENOSYS},
		&snapshot.PropagationError{Path: "/run/containerd/io.containerd.mount-manager.v1.bolt/t/1"},
		&snapshot.MountDeniedError{Err: fmt.Errorf("mounting an overlay: %w", syscall.EPERM)},
		fmt.Errorf("exporting %q: %w", "registry.example.com/app:1", ofSnapshotter(&snapshot.View{Snapshotter: "stargz"}, &hostfile.HungError{
			Cause: fmt.Errorf("%w (5m0s)", errTimeout), Calls: []hostfile.Call{{Doing: "reading", Name: "/var/lib/stargz/snapshots/7/fs/app", FileSystem: "fuse.rawBridge"}},
		})),
		&snapshot.ViewError{Source: "registry.example.com/app:1", Snapshotter: "stargz", Err: errors.New("the snapshotter does not answer: its process may have ended")},
		&fetchError{Snapshotter: "stargz", FileSystem: "fuse.rawBridge", Err: &export.ReadError{Doing: "reading", Path: "usr/bin/app", Err: syscall.EIO}},
		&fetchError{FileSystem: "nfs4", Err: &snapshot.ArchiveError{Path: "/mnt/app.tar", Err: syscall.ESTALE}},
		&fetchError{Snapshotter: "stargz", Err: &export.ReadError{Doing: "reading", Path: "usr/bin/app", Err: syscall.ENOTCONN}},
		files.ErrTerminal,
		&export.PlaceError{Path: "etc/hosts", For: forProfile, At: "etc", Found: export.Regular, Wanted: export.Directory},
		&export.HeaderError{Path: "srv/data", Size: 1200000, Limit: 1 << 20},
		fmt.Errorf("writing %q: %w", "home/app", &export.OwnerError{UID: 1000, GID: 1000, Err: syscall.EPERM}),
		fmt.Errorf("making config.json for %q: %w", "oci-archive:base.tar", ocispec.ErrNoArgs),
		fmt.Errorf("making config.json for %q: reading the image's WorkingDir %q: %w", "oci-archive:base.tar", "srv", ocispec.ErrRelativeWorkingDir),
		wrongField("Cmd", "array", "string"), wrongField("User", "string", "number"), wrongField("WorkingDir", "string", "array"),
		wrongField("Volumes", "object", "array"), wrongField("Env", "array", "string"),
		fmt.Errorf("exporting %q: %w", "oci-archive:base.tar", &fieldError{name: "created", err: errors.New(`"yesterday" is not a date and time of RFC 3339`), times: true}),
		&snapshot.UnpackError{Image: image, Snapshotter: "overlayfs", Err: json.Unmarshal([]byte(`{"config":{"Cmd":"x"}}`), new(ispec.Image))},
		&export.PlaceError{Path: "etc/passwd", For: forVolume, At: "etc/passwd", Found: export.Regular, Wanted: export.Directory},
		&imageError{source: "snapshot:build-1"},
		&imageError{source: "container:web", container: true},
		&recordError{id: "4f7e2b"},
	}
}

// wrongField is the error of a field of a config that has another type.
func wrongField(name, want, got string) error {
	err := &fieldError{name: "config." + name, err: fmt.Errorf("want %s, not %s", want, got)}
	return fmt.Errorf("making config.json for %q: %w", "oci-archive:base.tar", err)
}

func layerType(mediaType string, number, of int) error {
	return &snapshot.LayerTypeError{MediaType: mediaType, Digest: "sha256:54bf...", Number: number, Of: of}
}

func rootOfWeb(err error) error {
	return fmt.Errorf("opening the root of container %q: %w", "web", err)
}

// TestTroubleshootingTexts compares the texts of the page with the errors.
func TestTroubleshootingTexts(t *testing.T) {
	page, err := os.ReadFile(troubleshooting)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, m := range regexp.MustCompile("(?s)```text\n(.*?)```").FindAllSubmatch(page, -1) {
		shown = append(shown, strings.Split(strings.TrimSpace(string(m[1])), "\n")...)
	}
	var said []string
	for _, err := range shownErrors() {
		said = append(said, progress.Line(oneLine(explain(err))))
	}
	for _, line := range said {
		if !slices.Contains(shown, line) {
			t.Errorf("the page has no block ```text with\n%s", line)
		}
	}
	for _, line := range shown {
		if !slices.Contains(said, line) {
			t.Errorf("no error of this test says what the page has:\n%s", line)
		}
	}
}

// TestTroubleshootingHasEveryHint looks for each text of the hints in the page.
func TestTroubleshootingHasEveryHint(t *testing.T) {
	page, err := os.ReadFile(troubleshooting)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	hints := hintTexts(t, slices.DeleteFunc(sources, func(name string) bool { return strings.HasSuffix(name, "_test.go") }))
	const known = 40 // there are more: the search finds them
	if len(hints) < known {
		t.Errorf("only %d hints are found: %q", len(hints), hints)
	}
	verb := regexp.MustCompile(`%[a-z]`)
	for _, hint := range hints {
		var parts []string
		for _, part := range verb.Split(hint, -1) {
			parts = append(parts, regexp.QuoteMeta(part))
		}
		if !regexp.MustCompile(strings.Join(parts, ".*")).Match(page) {
			t.Errorf("docs/troubleshooting.md has no error with the hint %q", hint)
		}
	}
}

// hintTexts are the literals of the functions that give hints, and of the constants
// that are some.
func hintTexts(t *testing.T, files []string) []string {
	t.Helper()
	var texts []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return strings.HasSuffix(n.Name.Name, "Hint") || n.Name.Name == "hintTable"
			case *ast.GenDecl:
				return n.Tok == token.CONST
			case *ast.ValueSpec:
				return strings.HasSuffix(n.Names[0].Name, "Hint")
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if err == nil && n.Kind == token.STRING && strings.Contains(text, " ") {
					texts = append(texts, text)
				}
			}
			return true
		})
	}
	return texts
}

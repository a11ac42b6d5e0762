package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("anything"), 1},
		{usagef("no such flag"), 2},
		{errors.New(`unknown command "x"`), 2},
		{&snapshot.MissingError{Image: "a"}, 3},
		{&snapshot.NameError{Name: "A", Store: "a store", Err: syscall.EINVAL}, 3},
		{&snapshot.NameError{Name: "A", Err: syscall.EINVAL}, 1},
		{&snapshot.PlatformError{Image: "a"}, 3},
		{&snapshot.NamespaceError{Others: []string{"k8s.io"}}, 3},
		{&snapshot.ReferenceError{Path: "a.tar"}, 3},
		{&snapshot.ArchiveError{Path: "a.tar", Err: fs.ErrNotExist}, 3},
		{&snapshot.ArchiveError{Path: "a.tar", Err: fs.ErrPermission}, 1},
		{fmt.Errorf("exporting: %w", interrupted{syscall.SIGINT}), 130},
		{errors.Join(interrupted{syscall.SIGTERM}, errors.New("undoing")), 143},
		{context.DeadlineExceeded, 1},
	} {
		if got := status(c.err); got != c.want {
			t.Errorf("status(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestExplainSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&snapshot.SocketError{Address: "/a", Err: syscall.ENOENT}, "--store DIR"},
		{&snapshot.SocketError{Address: "/a", Err: syscall.EACCES}, "belongs to root"},
		{&snapshot.SocketError{Address: "/a", Err: syscall.ECONNREFUSED}, "no containerd runs there"},
		{&snapshot.SocketError{Address: "/a", Elsewhere: "/k3s.sock", Err: syscall.ENOENT}, "--address /k3s.sock"},
		{&snapshot.NamespaceError{Others: []string{"k8s.io"}}, "--namespace k8s.io"},
		{&snapshot.PlatformError{Have: []string{"linux/arm64"}}, "--platform"},
		{&snapshot.MissingError{}, "--pull"},
		{&snapshot.NameError{Name: "MyApp:1", Err: syscall.EINVAL}, "ctr-rootfs images"},
		{&snapshot.NameError{Name: "sha256:1f", Err: syscall.EINVAL}, "ctr-rootfs images"},
		{&snapshot.NameError{Name: "docker://a:1", Err: syscall.EINVAL}, "without docker://"},
		{&snapshot.NameError{Name: "https://h/a:1", Err: syscall.EINVAL}, "without https://"},
		{&snapshot.NameError{Name: "registry:h/a:1", Err: syscall.EINVAL}, "without registry:"},
		{&snapshot.NameError{Name: "docker-daemon:a:1", Err: syscall.EINVAL}, "docker save a:1 |"},
		{&snapshot.NameError{Name: "docker:a:1", Err: syscall.EINVAL}, "docker save a:1 |"},
		{&snapshot.NameError{Name: "containers-storage:a:1", Err: syscall.EINVAL}, "podman save a:1 |"},
		{&snapshot.NameError{Name: "dir:/srv/a", Err: syscall.EINVAL}, "skopeo copy dir:/srv/a oci:DIR"},
		{&snapshot.NameError{Name: "oci-dir:/srv/a", Err: syscall.EINVAL}, "oci:DIR"},
		{&snapshot.NameError{Name: "/srv/a.tar", Err: syscall.EINVAL}, "oci-archive:FILE"},
		{&snapshot.NameError{Name: "../a.tar", Err: syscall.EINVAL}, "docker-archive:FILE"},
		{&snapshot.NameError{Name: "containerd://4f", Err: syscall.EINVAL}, "container:ID"},
		{&snapshot.NameError{Name: "file:///srv/a.tar", Err: syscall.EINVAL}, "oci-archive:FILE"},
		{&snapshot.NameError{Name: "~/a.tar", Err: syscall.EINVAL}, "oci-archive:FILE"},
		{&snapshot.ArchiveError{Path: "//h/a", Err: fs.ErrNotExist}, "registry's image is named without a prefix"},
		{&snapshot.ArchiveError{Path: "///h/a", Err: fs.ErrNotExist}, ""},
		{&snapshot.AbsentError{Kind: snapshot.ContainerID, Docker: "moby-1.1"}, "in namespace moby-1.1, by id"},
		{&snapshot.AbsentError{Kind: snapshot.ContainerID, Docker: "moby", Namespaces: []string{"default"}}, "--namespace default"},
		{&snapshot.SourceError{Err: snapshot.ErrNotTaskRoot}, "hostPID"},
		{&snapshot.SourceError{Err: snapshot.ErrNothingThere}, "while it runs"},
		{&snapshot.SourceError{Err: snapshot.ErrLinkedRoot}, "while it runs"},
		{&snapshot.SourceError{Err: snapshot.ErrHostRoot}, ""},
		{snapshot.ErrNoRoot, "while it runs"},
		{&snapshot.ContentError{Err: fs.ErrNotExist}, "--pull always"},
		{&snapshot.ContentError{Others: []string{"native"}, Err: fs.ErrNotExist}, "--snapshotter native"},
		{&snapshot.IncompleteError{Err: fs.ErrNotExist}, "--pull never"},
		{fmt.Errorf("reading: %w", &snapshot.LayerTypeError{MediaType: "application/vnd.oci.image.layer.v1.tar+encrypted"}), "decrypt it first"},
		{&snapshot.LayerTypeError{MediaType: "application/vnd.oci.image.layer.v1.tar+xz"}, "--via view"},
		{&snapshot.LayerContentError{MediaType: "application/vnd.oci.image.layer.v1.tar", Found: "xz"}, "built again"},
		{&snapshot.UnpackError{Err: &snapshot.LayerTypeError{MediaType: "application/x"}}, "if it is an image at all"},
		{&snapshot.UnpackError{Err: syscall.ENOTDIR}, "use --via layers"},
		{&snapshot.UnpackError{Snapshotter: "erofs", Err: syscall.EINVAL}, "another --snapshotter"},
		{&snapshot.UnpackError{Err: fmt.Errorf("unpacking: %w: %w", snapshot.ErrOnOverlay, syscall.EPERM)}, "--store DIR on another filesystem"},
		{&snapshot.IncompleteError{Err: &snapshot.NameError{Name: "A", Err: fs.ErrNotExist}}, "in a registry"},
		{&snapshot.SocketError{Elsewhere: "/proc/7/root/c.sock", Err: syscall.ENOENT}, "--address /proc/7/root/c.sock"},
		{&snapshot.PullError{Err: syscall.EINVAL}, "invalid argument"},
		{&snapshot.PullError{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, "--hosts-dir"},
		{&snapshot.PullError{Err: http.ErrSchemeMismatch}, "--plain-http"},
		{&snapshot.PullError{Err: x509.UnknownAuthorityError{}}, "--skip-verify"},
		{&snapshot.PullError{Err: io.ErrUnexpectedEOF}, "try again"},
		{&snapshot.ArchiveError{Path: "a", Err: syscall.EISDIR}, "oci:a"},
		{&snapshot.ArchiveError{Path: "a", Err: syscall.ENOTDIR}, "docker-archive:a"},
		{&snapshot.ArchiveError{Path: "a.lz4", Err: &snapshot.ForeignError{What: "lz4", Command: "lz4 -dc FILE"}}, "unpack it first: lz4 -dc a.lz4"},
		{&snapshot.ArchiveError{Path: "my file", Err: &snapshot.ForeignError{What: "lz4", Command: "lz4 -dc FILE"}}, "unpack it first: lz4 -dc FILE"},
		{&snapshot.ArchiveError{Path: "-", Err: &snapshot.ForeignError{What: "lz4", Command: "lz4 -dc FILE"}}, "unpack it first: lz4 -dc FILE"},
		{&snapshot.ArchiveError{Path: "a", Err: &snapshot.CutError{Err: io.ErrUnexpectedEOF}}, "--local"},
		{&snapshot.ArchiveError{Path: "a", Err: snapshot.ErrOldDocker}, "docker 1.10 to 28"},
		{&snapshot.OtherListError{Other: snapshot.Source{Kind: snapshot.OCIArchive, Name: "a.tar"}, List: "index.json", Err: &snapshot.PlatformError{Have: []string{"linux/amd64"}}}, "its index.json is read as oci-archive:a.tar"},
		{&snapshot.OtherListError{Other: snapshot.Source{Kind: snapshot.OCIArchive, Name: "-", Ref: "b:1"}, List: "index.json", Err: io.EOF}, "its index.json is read as oci-archive:-:b:1"},
		{&snapshot.SnapshotterError{Name: "x"}, "--snapshotter"},
		{&snapshot.StoreError{Dir: "/a", Err: snapshot.ErrNotPrivate}, "chmod 700 /a"},
		{&export.PlaceError{For: forProfile, At: "etc"}, "--keep etc"},
		{&export.PlaceError{For: forReplace, At: "a"}, "--exclude a"},
		{&imageError{container: true}, "--spec container"},
		{&imageError{}, "--config FILE"},
		{&export.PlaceError{For: forMount, At: "proc"}, "mount elsewhere"},
		{&export.HeaderError{Path: "a"}, "--xattrs none"},
		{&export.OwnerError{Err: syscall.EPERM}, "--no-same-owner"},
		{fmt.Errorf("choosing: %w", snapshot.ErrNoHome), "--store DIR"},
		{fmt.Errorf("making: %w", ocispec.ErrNoArgs), "-- /bin/sh"},
		{&snapshot.UnpackError{Err: json.Unmarshal([]byte(`{"created":""}`), new(ispec.Image))}, "--via layers"},
		{&snapshot.UnpackError{Err: json.Unmarshal([]byte(`{"created":5}`), new(ispec.Image))}, "--via layers"},
		{files.ErrTerminal, "-o FILE"},
		{fmt.Errorf("writing: %w", files.ErrDirectory), "--format dir"},
		{fmt.Errorf("writing: %w", files.ErrNoDirectory), "make it first"},
	} {
		if got := explain(c.err); !strings.Contains(got, c.want) {
			t.Errorf("explain(%v) = %q, want %q in it", c.err, got, c.want)
		}
	}
}

// TestNoWayIsNoHint: what is wrong with a layer's blob no way of reading mends.
func TestNoWayIsNoHint(t *testing.T) {
	err := &snapshot.UnpackError{Err: fmt.Errorf("unpacking: %w: %w", snapshot.ErrLayerUnread, io.ErrUnexpectedEOF)}
	if hint := hintFor(err); hint != "" {
		t.Errorf("%v has the hint %q", err, hint)
	}
}

// TestNoChoiceIsNoHint: there is nothing to choose of an index of nothing.
func TestNoChoiceIsNoHint(t *testing.T) {
	if hint := hintFor(&snapshot.PlatformError{Image: "a", Want: "linux/amd64"}); hint != "" {
		t.Errorf("an image without any platform has the hint %q", hint)
	}
}

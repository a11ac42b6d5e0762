package snapshot

import (
	"context"
	"errors"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	"github.com/containerd/containerd/api/services/version/v1"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// proxying answers as a daemon whose only snapshotter is in another process, which
// is not there.
func proxying(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	switch path.Base(method) {
	case "Version":
		return stream.SendMsg(&version.VersionResponse{})
	case "Plugins":
		return stream.SendMsg(&introspectionapi.PluginsResponse{Plugins: []*introspectionapi.Plugin{{Type: string(plugins.SnapshotPlugin), ID: "proxy"}}})
	case "Stat", "List":
		return status.Error(codes.Unavailable, "the proxy is away")
	}
	return status.Errorf(codes.InvalidArgument, "%s: snapshotter not loaded", method)
}

// startProxying serves that, and opens it as a store.
func startProxying(t *testing.T) (*Store, *grpc.Server) {
	t.Helper()
	return startServing(t, proxying)
}

// startServing serves a daemon's answers, and opens it as a store.
func startServing(t *testing.T, answer grpc.StreamHandler) (*Store, *grpc.Server) {
	t.Helper()
	address := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(answer))
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	s, err := Open(t.Context(), Options{Location: Location{Address: address}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, server
}

// TestUnavailable tells a plugin that the daemon cannot reach from a daemon that
// has gone away.
func TestUnavailable(t *testing.T) {
	s, server := startProxying(t)
	stat := func() error {
		return s.with(t.Context(), func(ctx context.Context, sess *session) error {
			_, err := unpackedIn(ctx, sess, &Image{Config: ispec.Image{RootFS: ispec.RootFS{DiffIDs: []digest.Digest{digest.FromString("")}}}}, []string{"proxy"})
			return err
		})
	}
	var socket *SocketError
	if err := stat(); err == nil || errors.As(err, &socket) || !strings.Contains(err.Error(), `snapshotter "proxy"`) || !strings.Contains(err.Error(), "the proxy is away") {
		t.Errorf("a plugin is away: error %v", err)
	}
	server.Stop()
	if err := stat(); !errors.As(err, &socket) || !errors.Is(err, errGone) {
		t.Errorf("the daemon is away: error %v, want a SocketError of %v", err, errGone)
	}
}

// TestUnrecordedOfAProxy finds a container by the beginning of its id although a
// snapshotter cannot be asked for those without a record, and says so.
func TestUnrecordedOfAProxy(t *testing.T) {
	s, _ := startProxying(t)
	var warned string
	s.opts.Snapshotter, s.opts.Warn = "proxy", func(text string) { warned = text }
	recorded := []containers.Container{{ID: "ab" + strings.Repeat("0", 62)}}
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		found, err := s.withUnrecorded(ctx, sess, slices.Clone(recorded), "ab")
		if len(found) != 1 || found[0].ID != recorded[0].ID {
			t.Errorf("it finds %v", found)
		}
		return err
	})
	if err != nil || !strings.Contains(warned, `snapshotter "proxy"`) || !strings.Contains(warned, "the proxy is away") {
		t.Errorf("error %v, warning %q", err, warned)
	}
	err = s.with(t.Context(), func(ctx context.Context, sess *session) error {
		_, err := s.withUnrecorded(ctx, sess, nil, "ab")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), `snapshotter "proxy"`) {
		t.Errorf("where none is found: error %v", err)
	}
}

// TestAbandonWithoutALease has an open fail before anything was made, of a
// container whose snapshotter the daemon does not have.
func TestAbandonWithoutALease(t *testing.T) {
	s, _ := startProxying(t)
	v := &View{Key: "run", Snapshotter: "gone", store: s, made: new(ledger)}
	failure := errors.New("it fails")
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		return v.attempt(ctx, sess, func() error { return failure })
	})
	if undo := (*UndoError)(nil); !errors.Is(err, failure) || errors.As(err, &undo) {
		t.Errorf("there is nothing to undo: %v", err)
	}
}

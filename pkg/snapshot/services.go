package snapshot

import (
	"context"

	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"
	bolt "go.etcd.io/bbolt"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// services joins the parts of an embedded store into what a client needs.
// Introspection and namespaces are asked for by Pull: without them the client
// would reach for a connection that it does not have.
func services(db *metadata.DB, parts map[string]snapshots.Snapshotter, q *inflate.Quota) []containerd.ServicesOpt {
	store := db.ContentStore()
	return []containerd.ServicesOpt{
		containerd.WithContentStore(store),
		containerd.WithImageStore(metadata.NewImageStore(db)),
		containerd.WithContainerStore(metadata.NewContainerStore(db)),
		containerd.WithLeasesService(metadata.NewLeaseManager(db)),
		containerd.WithSnapshotters(db.Snapshotters()),
		containerd.WithDiffService(differ{store, q}),
		containerd.WithNamespaceService(namespaceStore{db}),
		containerd.WithIntrospectionService(introspection{parts}),
	}
}

// introspection tells which snapshotters the embedded store is made of.
type introspection struct {
	parts map[string]snapshots.Snapshotter
}

// Plugins ignores the filters: only snapshotters are ever asked for here, and
// whoever asks for one finds it by its id.
func (i introspection) Plugins(context.Context, ...string) (*introspectionapi.PluginsResponse, error) {
	resp := &introspectionapi.PluginsResponse{}
	for name := range i.parts {
		resp.Plugins = append(resp.Plugins, &introspectionapi.Plugin{
			Type: string(plugins.SnapshotPlugin),
			ID:   name,
		})
	}
	return resp, nil
}

func (introspection) Server(context.Context) (*introspectionapi.ServerResponse, error) {
	return &introspectionapi.ServerResponse{}, nil
}

func (introspection) PluginInfo(context.Context, string, string, any) (*introspectionapi.PluginInfoResponse, error) {
	return nil, errdefs.ErrNotImplemented
}

// namespaceStore runs each call of containerd's namespace store in a
// transaction of its own.
type namespaceStore struct{ db *metadata.DB }

func (s namespaceStore) Create(ctx context.Context, namespace string, labels map[string]string) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		return metadata.NewNamespaceStore(tx).Create(ctx, namespace, labels)
	})
}

func (s namespaceStore) Labels(ctx context.Context, namespace string) (labels map[string]string, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		labels, err = metadata.NewNamespaceStore(tx).Labels(ctx, namespace)
		return err
	})
	return labels, err
}

func (s namespaceStore) SetLabel(ctx context.Context, namespace, key, value string) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		return metadata.NewNamespaceStore(tx).SetLabel(ctx, namespace, key, value)
	})
}

func (s namespaceStore) List(ctx context.Context) (names []string, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		names, err = metadata.NewNamespaceStore(tx).List(ctx)
		return err
	})
	return names, err
}

func (s namespaceStore) Delete(ctx context.Context, namespace string, opts ...namespaces.DeleteOpts) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		return metadata.NewNamespaceStore(tx).Delete(ctx, namespace, opts...)
	})
}

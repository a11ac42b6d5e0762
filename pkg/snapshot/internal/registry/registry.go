package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"github.com/containerd/platforms"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// Config says how registries are reached. Its fields are those of
// snapshot.Registry, and documented there, so that Config(r) makes one of it.
type Config struct {
	HostsDir   string
	PlainHTTP  bool
	SkipVerify bool
	User       string
	Password   string
}

// Remote is one image in its registry: a resolver for a client's pull. It keeps
// what its name stood for and what was fetched, so that a pull that failed can be
// tidied up.
type Remote struct {
	remotes.Resolver

	mu      sync.Mutex
	target  *ispec.Descriptor
	fetched []ispec.Descriptor
}

// Remote gives access to an image; notify is told when a registry has to be
// waited for.
func (c Config) Remote(ctx context.Context, notify func(string)) *Remote {
	return &Remote{Resolver: docker.NewResolver(docker.ResolverOptions{Hosts: c.hosts(ctx, newPatience(notify))})}
}

// hosts finds the hosts that serve a registry: its mirrors in the order of
// hosts.toml, then the registry itself. All of them share p.
func (c Config) hosts(ctx context.Context, p *patience) docker.RegistryHosts {
	creds := newCredentials(ctx, c)
	options := config.HostOptions{}
	if c.HostsDir != "" {
		options.HostDir = config.HostDirFromRoot(c.HostsDir)
	}
	if c.PlainHTTP {
		options.DefaultScheme = "http"
	}
	if c.SkipVerify {
		options.DefaultTLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // it is what --skip-verify asks for
	}
	return func(registry string) ([]docker.RegistryHost, error) {
		complaints := &complaints{}
		hosts, err := config.ConfigureHosts(complaints.heard(ctx), options)(registry)
		if err == nil {
			err = cmp.Or(complaints.first, checkHosts(hosts))
		}
		if err != nil {
			return nil, fmt.Errorf("reading the configuration of registry %q in %q: %w", registry, c.HostsDir, err)
		}
		for i := range hosts {
			own, tries := i == len(hosts)-1, mirrorTries
			if own {
				tries = maxTries
			}
			client := *hosts[i].Client
			client.Transport = &retrying{next: client.Transport, tries: tries, patience: p}
			hosts[i].Client = &client
			hosts[i].Authorizer = docker.NewDockerAuthorizer(
				docker.WithAuthClient(&client),
				docker.WithAuthHeader(hosts[i].Header),
				docker.WithAuthCreds(creds.forHost(own)))
		}
		return hosts, nil
	}
}

// checkHosts refuses what containerd takes from a hosts.toml with
// [host."https:///v2"]: a mirror that cannot be asked.
func checkHosts(hosts []docker.RegistryHost) error {
	for _, host := range hosts {
		if host.Host == "" {
			return fmt.Errorf("the URL %q names no host", host.Scheme+"://"+host.Path)
		}
	}
	return nil
}

// complaints makes errors of what containerd logs as one: a hosts.toml that
// does not parse, after which it would go on without the mirrors and
// authorities that the file names.
type complaints struct{ first error }

func (c *complaints) heard(ctx context.Context) context.Context {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.AddHook(c)
	return log.WithLogger(ctx, logrus.NewEntry(logger))
}

// Levels makes complaints a hook of containerd's logger.
func (c *complaints) Levels() []logrus.Level { return []logrus.Level{logrus.ErrorLevel} }

// Fire keeps the first error.
func (c *complaints) Fire(entry *logrus.Entry) error {
	if err, ok := entry.Data[logrus.ErrorKey].(error); ok && c.first == nil {
		c.first = fmt.Errorf("%s: %w", entry.Message, err)
	}
	return nil
}

// Resolve asks the registry once: a tag that moves during a pull does not mix
// two images.
func (r *Remote) Resolve(ctx context.Context, ref string) (string, ispec.Descriptor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.target != nil {
		return ref, *r.target, nil
	}
	name, target, err := r.Resolver.Resolve(ctx, ref)
	if err == nil {
		r.target = &target
	}
	return name, target, err
}

// Fetcher is that of the registry, and notes what is asked for.
func (r *Remote) Fetcher(ctx context.Context, ref string) (remotes.Fetcher, error) {
	fetcher, err := r.Resolver.Fetcher(ctx, ref)
	if err != nil {
		return nil, err
	}
	return remotes.FetcherFunc(func(ctx context.Context, desc ispec.Descriptor) (io.ReadCloser, error) {
		r.mu.Lock()
		r.fetched = append(r.fetched, desc)
		r.mu.Unlock()
		return fetcher.Fetch(ctx, desc)
	}), nil
}

// schema1Unsigned is the other media type of docker's schema 1, which containerd
// has no name for.
const schema1Unsigned = "application/vnd.docker.distribution.manifest.v1+json"

// Documents fetches the manifest and config for the platform that is wanted, and
// the index above them, but no layer, and gives what the name stands for. Where
// the registry has no such image, the error is ErrAbsent; where it has something
// else under the name, a MediaTypeError or ErrSchema1.
func (r *Remote) Documents(ctx context.Context, store content.Store, name string, want platforms.Matcher) (ispec.Descriptor, error) {
	_, target, err := r.Resolve(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return target, fmt.Errorf("%w: %w", ErrAbsent, err)
	case errdefs.IsNotImplemented(err):
		// The resolver says so of schema 1 where it has to take the digest itself.
		return target, fmt.Errorf("%w: %w", ErrSchema1, err)
	case err != nil:
		return target, err
	}
	if err := checkKind(target.MediaType); err != nil {
		return target, err
	}
	fetcher, err := r.Fetcher(ctx, name)
	if err != nil {
		return target, err
	}
	children := images.FilterPlatforms(func(ctx context.Context, desc ispec.Descriptor) ([]ispec.Descriptor, error) {
		return document.Children(ctx, store, desc)
	}, want)
	return target, images.Dispatch(ctx, images.Handlers(images.HandlerFunc(small), remotes.FetchHandler(store, fetcher), children), nil, target)
}

// small refuses what is too large for a document before it is fetched.
func small(_ context.Context, desc ispec.Descriptor) ([]ispec.Descriptor, error) {
	if err := document.CheckSize(desc); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", desc.MediaType, desc.Digest, err)
	}
	return nil, nil
}

// checkKind refuses what is neither an image's manifest nor an index.
func checkKind(mediaType string) error {
	switch {
	case mediaType == images.MediaTypeDockerSchema1Manifest, mediaType == schema1Unsigned:
		return ErrSchema1
	case images.IsManifestType(mediaType), images.IsIndexType(mediaType):
		return nil
	}
	return &MediaTypeError{MediaType: mediaType}
}

// DiscardDamaged removes what was fetched whole and not taken: bytes with
// another digest than the manifest says. The store would go on from them at
// the next try.
func (r *Remote) DiscardDamaged(ctx context.Context, store content.Store) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, desc := range r.fetched {
		ref := remotes.MakeRefKey(ctx, desc)
		status, err := store.Status(ctx, ref)
		if err != nil || status.Offset < desc.Size {
			continue // it is taken, was never begun, or can be resumed
		}
		if err := store.Abort(ctx, ref); err != nil {
			return fmt.Errorf("discarding blob %s: %w", desc.Digest, err)
		}
	}
	return nil
}

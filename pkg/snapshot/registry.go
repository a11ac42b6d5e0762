package snapshot

// DefaultHostsDir is where containerd's own clients look for hosts.toml.
const DefaultHostsDir = "/etc/containerd/certs.d"

// Registry says how registries are reached. The zero value reaches them by
// HTTPS (those on this host also without), with what docker's config.json
// knows of them.
type Registry struct {
	// HostsDir holds a folder with a hosts.toml, or with certificates, for
	// each registry, in containerd's form; empty for none.
	HostsDir string
	// PlainHTTP speaks HTTP to registries for which hosts.toml says nothing.
	PlainHTTP bool
	// SkipVerify takes any certificate.
	SkipVerify bool
	// User and Password are for the registry that an image's name begins
	// with, and for no mirror of it; docker's config.json is then not asked
	// for that registry.
	User, Password string
}

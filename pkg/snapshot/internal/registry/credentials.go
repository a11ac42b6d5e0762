package registry

import (
	"context"
	"errors"
	"fmt"

	"oras.land/oras-go/v2/registry/remote/credentials"
)

// credentialFunc gives a user and a password for a host; a password without a
// user is an identity token, none at all is the anonymous user.
type credentialFunc func(host string) (user, password string, err error)

// knownCredentials finds what to log in with. The secrets never leave it but
// to the host that asks.
type knownCredentials struct {
	config Config
	// docker looks a host up in docker's config.json and its helpers.
	docker credentialFunc
}

func newCredentials(ctx context.Context, c Config) knownCredentials {
	return knownCredentials{config: c, docker: func(host string) (string, string, error) {
		return fromDocker(ctx, host)
	}}
}

// forHost gives the credentials for a host: own says that it is the registry
// itself, not a mirror, which is none of the given user's business.
func (k knownCredentials) forHost(own bool) credentialFunc {
	if own && k.config.User != "" {
		return func(string) (string, string, error) { return k.config.User, k.config.Password, nil }
	}
	return k.docker
}

// ErrRegistryToken names what containerd's resolver has no way to send.
var ErrRegistryToken = errors.New("it has a registrytoken, which is not supported")

// fromDocker reads config.json in $DOCKER_CONFIG or ~/.docker, and asks the
// credential helper that it names for the host.
func fromDocker(ctx context.Context, host string) (user, password string, err error) {
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return "", "", fmt.Errorf("reading docker's config.json: %w", err)
	}
	found, err := store.Get(ctx, credentials.ServerAddressFromHostname(host))
	switch {
	case err != nil:
		return "", "", fmt.Errorf("looking up the credentials of %q in %q: %w", host, store.ConfigPath(), err)
	case found.RefreshToken != "":
		return "", found.RefreshToken, nil
	case found.Password == "" && found.AccessToken != "":
		return "", "", fmt.Errorf("looking up the credentials of %q in %q: %w", host, store.ConfigPath(), ErrRegistryToken)
	}
	return found.Username, found.Password, nil
}

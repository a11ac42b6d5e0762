package registry

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzHosts reads any hosts.toml: an error, or hosts to ask.
func FuzzHosts(f *testing.F) {
	f.Add("server = \"https://a\"\n[host.\"http://b:5000\"]\ncapabilities = [\"pull\", \"resolve\"]\nskip_verify = true\n")
	f.Add("server = \"a\"\nca = [\"x.pem\"]\n[host.\"b\".header]\nx = [\"1\"]\n")
	f.Add("[host.\"https://b\"]\nclient = [[\"a\", \"b\"]]\noverride_path = true\n")
	f.Add("[host.\"https:///v2\"]\n")
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "example.com"), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, toml string) {
		if err := os.WriteFile(filepath.Join(dir, "example.com", "hosts.toml"), []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		hosts, err := Config{HostsDir: dir}.hosts(t.Context(), newPatience(func(string) {}))("example.com")
		if err == nil && len(hosts) == 0 {
			t.Error("no error, and no host to ask")
		}
		for _, h := range hosts {
			if h.Host == "" || h.Client == nil || h.Scheme == "" {
				t.Errorf("a host that cannot be asked: %+v", h)
			}
		}
	})
}

// FuzzDockerConfig reads any config.json of docker's: an error that does not
// quote what may be a secret, or credentials. No helper is to be found.
func FuzzDockerConfig(f *testing.F) {
	f.Add(`{"auths":{"example.com":{"auth":"dTpw"}}}`)
	f.Add(`{"auths":{"https://example.com/v1/":{"identitytoken":"t"}}}`)
	f.Add(`{"credsStore":"none","credHelpers":{"example.com":"../../bin/sh"}}`)
	f.Add(`{"auths":{"example.com":{"registrytoken":"t","username":"u","password":"p"}}}`)
	dir := f.TempDir()
	f.Setenv("DOCKER_CONFIG", dir)
	f.Setenv("PATH", dir)
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		user, password, err := fromDocker(t.Context(), "example.com")
		if err != nil && (user != "" || password != "") {
			t.Errorf("an error and credentials: %v", err)
		}
	})
}

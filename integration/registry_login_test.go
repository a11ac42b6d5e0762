package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestBadCredentials refuses passwords on the command line, and says none.
func TestBadCredentials(t *testing.T) {
	export := func(args ...string) []string {
		return append([]string{"export", "--store", "/no/such/store", "-o", "/dev/null", "example.com/a:1"}, args...)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{export("--creds", registryUser+":"+registryPassword), statusUsage, "user alone"},
		{export("--password-stdin"), statusUsage, "--creds"},
		{export("--creds", registryUser), statusUsage, "--password-stdin"},
		{export("--creds", registryUser, "--password-stdin"), statusUsage, "empty"},
		{export("--hosts-dir", "/no/such/dir"), statusFailed, "/no/such/dir"},
	} {
		o := invocation{args: c.args}.run(t)
		if lines := errorLines(o.stderr); o.status != c.status || len(lines) != 1 || !strings.Contains(o.stderr, c.want) {
			t.Errorf("%q: exit status %d, want %d and %q:\n%s", c.args, o.status, c.status, c.want, o.stderr)
		}
		if strings.Contains(o.stderr, registryPassword) {
			t.Errorf("%q: the password is on stderr", c.args)
		}
	}
}

// TestPasswordOnTerminal types the password at a terminal, and does not see
// it there.
func TestPasswordOnTerminal(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{auth: true})
	r.push(t, "standard:1", marked("amd64", "private"))
	terminal, shown := openTerminal(t)
	out := filepath.Join(t.TempDir(), "out.tar")
	cmd := invocation{args: []string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--platform", "linux/amd64",
		"--creds", registryUser, "-o", out, r.host + "/standard:1"}}.command()
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = terminal, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// What is typed before the program takes the echo off, the terminal shows.
	waitForSilence(t, terminal)
	if _, err := shown.WriteString(registryPassword + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, stderr.String())
	}
	if !strings.Contains(stderr.String(), "Password of "+registryUser+": \n") {
		t.Errorf("nobody asked for the password:\n%s", stderr.String())
	}
	if err := shown.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	echo, err := io.ReadAll(shown)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if strings.Contains(string(echo)+stderr.String(), registryPassword) {
		t.Errorf("the password was shown: %q", echo)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	onlyFile(t, data, "private")
}

// TestInterruptedPassword presses Ctrl-C where the password is asked for: the
// terminal shows again what is typed.
func TestInterruptedPassword(t *testing.T) {
	terminal, _ := openTerminal(t)
	cmd := invocation{args: []string{"export", "--store", "/no/such/store", "--creds", registryUser, "-o", "/dev/null", "example.com/a:1"}}.command()
	cmd.Stdin = terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForSilence(t, terminal)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 130 {
		t.Errorf("exit status %d, want 130: %v", status, err)
	}
	if !echoes(t, terminal) {
		t.Error("the terminal is left without echo")
	}
}

// echoes says whether a terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// waitForSilence waits until a terminal does not show what is typed.
func waitForSilence(t *testing.T, terminal *os.File) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); echoes(t, terminal); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal shows the password")
		}
	}
}

// openTerminal makes a terminal and gives it with the end that a person sits
// at; see pty(7).
func openTerminal(t *testing.T) (terminal, person *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	person = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal, person
}

// TestRegistryLogin logs in by each way there is, and finds the secret in
// nothing that is written.
func TestRegistryLogin(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{auth: true})
	r.push(t, "standard:1", marked("amd64", "private"))
	const token = "identity-token-of-the-tests"
	_, tokenURL := r.before(t, tokenService(t, token))
	tokenHost := strings.TrimPrefix(tokenURL, "http://")
	helper := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nread host\ncase $host in %s) echo '{\"Username\":\"<token>\",\"Secret\":%q}';; *) echo '{\"Username\":%q,\"Secret\":%q}';; esac\n",
		tokenHost, token, registryUser, registryPassword)
	if err := os.WriteFile(filepath.Join(helper, "docker-credential-test"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + helper + ":" + os.Getenv("PATH")
	basic := "dGVzdGVyOnBhNTU6d29yZC1vZi10aGUtdGVzdHM=" // registryUser:registryPassword
	stdin := []string{"--creds", registryUser, "--password-stdin"}
	for _, c := range []struct {
		name, config, stdin string
		args                []string
		host                string
		wants               []string
	}{
		{name: "password", args: stdin, stdin: registryPassword + "\n"},
		{name: "wrong password", args: stdin, stdin: "wrong-" + registryPassword, wants: []string{"401", "--creds"}},
		{name: "nobody", wants: []string{"refuses access", "--creds"}},
		{name: "config.json", config: fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.host, basic)},
		{name: "config.json of another", config: fmt.Sprintf(`{"auths": {"other": {"auth": %q}}}`, basic), wants: []string{"refuses access"}},
		{name: "flag before config.json", config: `{"credsStore": "missing"}`, args: stdin, stdin: registryPassword},
		{name: "credential helper", config: fmt.Sprintf(`{"credHelpers": {%q: "test"}}`, r.host)},
		{name: "credentials store", config: `{"credsStore": "test"}`},
		{name: "missing helper", config: `{"credsStore": "missing"}`, wants: []string{"docker-credential-missing", "config.json"}},
		{name: "broken config.json", config: `{"auths"`, wants: []string{"config.json"}},
		{name: "registry token", config: fmt.Sprintf(`{"auths": {%q: {"registrytoken": %q}}}`, r.host, token), wants: []string{"registrytoken", "docker login"}},
		{name: "identity token", config: fmt.Sprintf(`{"auths": {%q: {"identitytoken": %q}}}`, tokenHost, token), host: tokenHost},
		{name: "identity token by a helper", config: `{"credsStore": "test"}`, host: tokenHost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.host == "" {
				c.host = r.host
			}
			docker, meta := t.TempDir(), filepath.Join(t.TempDir(), "meta.json")
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			runs := []string{"--debug"}
			if c.wants != nil {
				runs = append(runs, "--debug=false")
			}
			for _, debug := range runs {
				o := invocation{
					args: append([]string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--platform", "linux/amd64",
						"--metadata-file", meta, debug, c.host + "/standard:1"}, c.args...),
					env: []string{"DOCKER_CONFIG=" + docker, path}, stdin: []byte(c.stdin),
				}.run(t)
				noSecret(t, o, meta, registryPassword, basic, token)
				switch {
				case c.wants == nil && o.status != 0:
					t.Errorf("exit status %d:\n%s", o.status, o.stderr)
				case c.wants == nil:
					onlyFile(t, o.stdout, "private")
				case debug != "--debug":
					checkPulling(t, o, statusFailed, c.wants...)
				}
			}
		})
	}
}

// TestSecretsOfTransport sends a token by a header of hosts.toml, and is
// redirected to signed addresses at which no blob is: neither is shown.
func TestSecretsOfTransport(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	blob, _ := largest(r.push(t, "standard:1", marked("amd64", "secret")))
	const header, signature = "token-in-a-header", "signature-in-an-address"
	for name, c := range map[string]struct{ away, want string }{
		"nobody there":   {"http://" + freePort(t) + "/blob?", "connection refused"},
		"400":            {"/expired?", "unexpected answer 400 Bad Request"},
		"no address":     {"http://127.0.0.1/%zz?", "an address that is none"},
		"no host's name": {"http://no host:1/blob?", "an address that is none"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			_, url := r.before(t, func(w http.ResponseWriter, req *http.Request, _ int) bool {
				asked = asked || req.Header.Get("X-Token") == header
				if req.URL.Path == "/expired" {
					return answer(w, http.StatusBadRequest, "")
				}
				w.Header().Set("Location", c.away+"X-Amz-Signature="+signature)
				return strings.HasSuffix(req.URL.Path, blob.String()) && answer(w, http.StatusTemporaryRedirect, "")
			})
			hosts := hostsDir(t, "example.com", fmt.Sprintf("server = %q\n[header]\nX-Token = %q\n", url, header))
			o := invocation{args: []string{"export", "--debug", "--store", filepath.Join(t.TempDir(), "store"), "--platform", "linux/amd64",
				"--hosts-dir", hosts, standardName}}.run(t)
			if o.status != statusFailed || !asked || !strings.Contains(o.stderr, c.want) {
				t.Errorf("exit status %d, the header came: %v, want %q:\n%s", o.status, asked, c.want, o.stderr)
			}
			if !strings.Contains(o.stderr, "response.header") {
				t.Errorf("--debug shows nothing:\n%s", o.stderr)
			}
			noSecret(t, o, "/no/metadata", header, signature)
		})
	}
}

// noSecret looks for secrets in all that a run wrote.
func noSecret(t *testing.T, o outcome, meta string, secrets ...string) {
	t.Helper()
	written, err := os.ReadFile(meta)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"stdout": string(o.stdout), "stderr": o.stderr, "the metadata": string(written)} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the secret %q is in %s:\n%s", secret, where, text)
			}
		}
	}
}

// tokenService lets in who has a token that is had for an identity token: the
// scheme of distribution's token authentication.
func tokenService(t *testing.T, identity string) func(http.ResponseWriter, *http.Request, int) bool {
	const access = "access-token-of-the-tests"
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		switch {
		case r.URL.Path == "/token":
			if r.FormValue("grant_type") != "refresh_token" || r.FormValue("refresh_token") != identity {
				return answer(w, http.StatusUnauthorized, "")
			}
			return send(w, []byte(`{"access_token": "`+access+`"}`))
		case r.Header.Get("Authorization") != "Bearer "+access:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, r.Host))
			return answer(w, http.StatusUnauthorized, "")
		}
		r.SetBasicAuth(registryUser, registryPassword)
		return false
	}
}

package snapshot

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/registry"
)

func TestPullError(t *testing.T) {
	status := func(code int) error {
		return fmt.Errorf("fetching: %w", remoteerrors.ErrUnexpectedStatus{StatusCode: code, RequestURL: "http://a/?secret", Body: []byte("secret")})
	}
	request := func(err error) error {
		return fmt.Errorf("failed to do request: %w", &url.Error{Op: "Get", URL: "https://example.com/v2/?secret", Err: err})
	}
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	wrong := fmt.Errorf("failed commit: unexpected commit digest sha256:a, expected sha256:b: %w", errdefs.ErrFailedPrecondition)
	for _, c := range []struct {
		err    error
		reason PullReason
		want   string
		absent bool
	}{
		{status(401), PullDenied, "401 Unauthorized", false},
		{status(403), PullDenied, "403 Forbidden", false},
		{fmt.Errorf("%w: no basic auth credentials", docker.ErrInvalidAuthorization), PullDenied, "without a user", false},
		{fmt.Errorf("%w: %w", registry.ErrAbsent, errdefs.ErrNotFound), PullAbsent, "no such image", true},
		{request(&registry.BusyError{Code: 429, After: 1e9}), PullLimited, "429 Too Many Requests, for another 1s", false},
		{request(&registry.BusyError{Code: 503}), PullBroken, "503 Service Unavailable", false},
		{status(500), PullBroken, "500 Internal Server Error", false},
		{request(dial), PullUnreachable, "example.com: dial tcp: connection refused", false},
		{request(&net.DNSError{Err: "no such host", Name: "example.com"}), PullUnreachable, "no such host", false},
		{request(tls.RecordHeaderError{Msg: "first record"}), PullPlainHTTP, "plain HTTP", false},
		{request(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), PullUntrusted, "unknown authority", false},
		{request(&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}}), 0, "has expired", false},
		{request(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "b"}}), 0, "certificate", false},
		{wrong, PullDamaged, "digest sha256:a, expected sha256:b", false},
		{errors.New("rpc error: read past expected size 7"), PullDamaged, "read past expected size 7", false},
		{fmt.Errorf("could not fetch content descriptor sha256:a (x) from remote: %w", errdefs.ErrNotFound), PullIncomplete, "sha256:a", false},
		{fmt.Errorf("%w: %w", registry.ErrCut, syscall.ECONNRESET), PullCut, "cut again and again", false},
		{&registry.MediaTypeError{MediaType: "text/html"}, PullForeign, `"text/html" is no image's`, false},
		{registry.ErrSchema1, PullSchema1, "schema 1", false},
		{&url.Error{Op: "Get", URL: "/v2/?secret", Err: errors.New("stopped")}, 0, `pulling "a": stopped`, false},
		{status(400), 0, `pulling "a": a: unexpected answer 400 Bad Request`, false},
		{errors.Join(status(400), docker.Errors{docker.ErrorCodeUnsupported.WithMessage("no ranges")}), 0, "a: unexpected answer 400 Bad Request: unsupported: no ranges", false},
		{request(errors.New(`failed to parse Location header "http://b:c/?secret": parse "http://b:c/?secret": invalid port`)), 0, "example.com: it redirects to an address that is none", false},
		{errors.New("anything"), 0, "anything", false},
	} {
		e := &PullError{Image: "a", Err: c.err}
		if e.Reason() != c.reason || !strings.Contains(e.Error(), c.want) || strings.Contains(e.Error(), "secret") {
			t.Errorf("of %v: reason %d and %q, want %d and %q", c.err, e.Reason(), e, c.reason, c.want)
		}
		if errors.Is(e, ErrNotFound) != c.absent {
			t.Errorf("of %v: not found is %v", c.err, !c.absent)
		}
	}
}

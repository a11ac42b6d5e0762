package snapshot

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/registry"
)

// PullReason is why a pull failed, as far as it helps to know what to do.
type PullReason int

// The reasons that are told apart; the zero value is any other.
const (
	// PullDenied: the registry wants a user, or another one.
	PullDenied PullReason = iota + 1
	// PullAbsent: the registry has no such image.
	PullAbsent
	// PullLimited: the registry wants fewer requests.
	PullLimited
	// PullBroken: the registry is out of order, or says so.
	PullBroken
	// PullUnreachable: no registry answers at its address.
	PullUnreachable
	// PullPlainHTTP: the registry speaks HTTP, not HTTPS.
	PullPlainHTTP
	// PullUntrusted: the registry's certificate is signed by nobody known.
	PullUntrusted
	// PullDamaged: what was sent is not what the manifest names.
	PullDamaged
	// PullIncomplete: the registry lacks a part of the image.
	PullIncomplete
	// PullCut: the connection broke, again and again.
	PullCut
	// PullForeign: what the registry sent is no image, but a page or an artifact
	// of another kind.
	PullForeign
	// PullSchema1: what the registry sent is said to be a manifest of docker's
	// schema 1, as containerd's resolver says of plain text, too.
	PullSchema1
)

// PullError says why an image could not be pulled.
type PullError struct {
	Image string
	Err   error
}

// Error gives the cause in plain words. Only hosts of addresses are in it: a
// redirected address can carry a signature that is as good as a password.
func (e *PullError) Error() string {
	return fmt.Sprintf("pulling %q: %s", e.Image, e.cause())
}

// Unwrap gives the cause, and ErrNotFound beside it where the registry said
// that it has no such image.
func (e *PullError) Unwrap() []error {
	if e.Reason() == PullAbsent {
		return []error{e.Err, ErrNotFound}
	}
	return []error{e.Err}
}

// Reason tells the kinds of failure apart.
func (e *PullError) Reason() PullReason {
	var busy *registry.BusyError
	var network *net.OpError
	var dns *net.DNSError
	var foreign *registry.MediaTypeError
	switch {
	case errors.Is(e.Err, docker.ErrInvalidAuthorization), e.status() == http.StatusUnauthorized, e.status() == http.StatusForbidden:
		return PullDenied
	case errors.Is(e.Err, registry.ErrAbsent):
		return PullAbsent
	case errors.As(e.Err, &busy) && busy.Code == http.StatusTooManyRequests:
		return PullLimited
	case busy != nil, e.status() >= http.StatusInternalServerError:
		return PullBroken
	case plainHTTP(e.Err):
		return PullPlainHTTP
	case untrusted(e.Err):
		return PullUntrusted
	case errors.As(e.Err, &foreign):
		return PullForeign
	case errors.Is(e.Err, registry.ErrSchema1):
		return PullSchema1
	case damaged(e.Err) != "":
		return PullDamaged
	case lacking(e.Err) != "":
		return PullIncomplete
	case errors.Is(e.Err, registry.ErrCut), errors.Is(e.Err, io.ErrUnexpectedEOF):
		return PullCut
	case errors.As(e.Err, &dns), errors.As(e.Err, &network):
		return PullUnreachable
	}
	return 0
}

// status is the HTTP status with which the registry answered, or 0.
func (e *PullError) status() int {
	var answer remoteerrors.ErrUnexpectedStatus
	if errors.As(e.Err, &answer) {
		return answer.StatusCode
	}
	return 0
}

func (e *PullError) cause() string {
	switch e.Reason() {
	case PullDenied:
		if e.status() != 0 {
			return fmt.Sprintf("the registry refuses access (%d %s)", e.status(), http.StatusText(e.status()))
		}
		return "the registry refuses access without a user"
	case PullAbsent:
		return "the registry has no such image"
	case PullLimited, PullBroken:
		var busy *registry.BusyError
		if !errors.As(e.Err, &busy) {
			busy = &registry.BusyError{Code: e.status()}
		}
		return fmt.Sprintf("the registry refuses requests (%v)", busy)
	case PullPlainHTTP:
		return "the registry speaks plain HTTP, not HTTPS"
	case PullDamaged:
		return "the registry sent something else than the manifest says: " + damaged(e.Err)
	case PullIncomplete:
		return "the registry lacks a part of the image: " + lacking(e.Err)
	case PullSchema1:
		return registry.ErrSchema1.Error()
	case PullCut:
		return "the connection to the registry was cut again and again, or stood still"
	}
	return withoutAddress(e.Err)
}

// plainHTTP says whether TLS was tried on a port that does not speak it.
func plainHTTP(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header) || errors.Is(err, http.ErrSchemeMismatch)
}

// untrusted says whether nobody known has signed a certificate. One that is expired,
// or another host's, no authority mends.
func untrusted(err error) bool {
	var authority x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	return errors.As(err, &authority) || errors.As(err, &roots)
}

// damaged gives what the store said of bytes that it did not take, in whose
// errors nothing but the text tells this case from others, the more so when
// they come from a daemon.
func damaged(err error) string {
	for _, sign := range []string{"unexpected commit digest", "unexpected commit size", "read exceeds expected size", "read past expected size"} {
		if _, rest, found := strings.Cut(err.Error(), sign); found {
			return strings.TrimPrefix(sign, "unexpected commit ") + strings.TrimSuffix(rest, ": "+errdefs.ErrFailedPrecondition.Error())
		}
	}
	return ""
}

// isUnpacking says whether it was a layer that could not be unpacked. Only the text
// tells that, too.
func isUnpacking(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "failed to extract layer") || strings.Contains(err.Error(), "wrong diff id"))
}

// lacking gives the blob that was not found, which again only the text names.
func lacking(err error) string {
	_, rest, found := strings.Cut(err.Error(), "could not fetch content descriptor ")
	if !found || !errdefs.IsNotFound(err) {
		return ""
	}
	blob, _, _ := strings.Cut(rest, " ")
	return blob
}

// withoutAddress is an error's text with hosts in the place of addresses.
func withoutAddress(err error) string {
	var answer remoteerrors.ErrUnexpectedStatus
	var request *url.Error
	switch {
	case errors.As(err, &answer):
		return atHost(answer.RequestURL, answered(err, answer))
	case !errors.As(err, &request):
		return err.Error()
	case strings.HasPrefix(request.Err.Error(), badLocation):
		return atHost(request.URL, "it redirects to an address that is none")
	}
	return atHost(request.URL, request.Err.Error())
}

// badLocation begins net/http's error of a redirection that it cannot parse,
// which quotes the whole address.
const badLocation = "failed to parse Location header"

// answered is a status of no kind that is told apart, with what the registry
// said of it.
func answered(err error, answer remoteerrors.ErrUnexpectedStatus) string {
	text := fmt.Sprintf("unexpected answer %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	var said docker.Errors
	if errors.As(err, &said) {
		text += ": " + said.Error()
	}
	return text
}

// atHost is what happened at an address, of which only the host is told.
func atHost(address, what string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "an address that is none: " + what
	case u.Host == "":
		// A redirection's address may name no host.
		return what
	}
	return u.Host + ": " + what
}

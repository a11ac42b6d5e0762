package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// answerTimeout is how long a daemon has for its first answer. A healthy one
// takes milliseconds; a node under heavy load was seen to take seconds.
const answerTimeout = 10 * time.Second

// errNoAnswer is the cause of a SocketError where somebody listens but says
// nothing, or nothing that a containerd says.
var errNoAnswer = errors.New("no answer")

// errGone is the cause of a SocketError where a daemon stopped answering.
var errGone = errors.New("it has gone away")

// daemon is a backend behind a socket; its one client serves every session.
type daemon struct {
	address string
	client  *containerd.Client
	dialled atomic.Int64 // how often the client connected
}

// dial connects to the daemon that listens at address and waits for its first
// answer: containerd's client alone succeeds on a dead socket.
func dial(ctx context.Context, address string) (*daemon, error) {
	if err := knock(ctx, address); err != nil {
		return nil, &SocketError{Address: address, Err: unanswered(ctx, err)}
	}
	d := &daemon{address: address}
	var err error
	d.client, err = containerd.New(address, containerd.WithExtraDialOpts([]grpc.DialOption{grpc.WithContextDialer(d.connect)}))
	if err != nil {
		return nil, &SocketError{Address: address, Err: err}
	}
	if err := d.ask(ctx); err != nil {
		return nil, errors.Join(&SocketError{Address: address, Err: unanswered(ctx, err)}, d.client.Close())
	}
	return d, nil
}

func (d *daemon) connect(ctx context.Context, address string) (net.Conn, error) {
	conn, err := dialWhole(ctx, address)
	if err == nil {
		d.dialled.Add(1)
	}
	return conn, err
}

// ask makes sure that the daemon answers in time.
func (d *daemon) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := d.client.Version(ctx)
	return err
}

// knock tells a missing socket, one that is not ours to use, and one that
// nobody listens at apart, which gRPC's errors do not.
func knock(ctx context.Context, address string) error {
	info, err := os.Stat(address)
	if err != nil {
		return errors.Unwrap(err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return ErrNotSocket
	}
	conn, err := (&net.Dialer{Timeout: answerTimeout}).DialContext(ctx, "unix", address)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return errno
		}
		return err
	}
	return conn.Close()
}

// unanswered gives the reason of a failed first call in a few words.
func unanswered(ctx context.Context, err error) error {
	switch {
	case ended(ctx, err):
		return context.Cause(ctx)
	case tookTooLong(err):
		return fmt.Errorf("%w within %s", errNoAnswer, answerTimeout)
	case status.Code(err) == codes.Unavailable:
		return fmt.Errorf("%w: what listens there is no containerd, or it is stopping", errNoAnswer)
	}
	return err
}

func (d *daemon) acquire(context.Context) (*session, error) {
	return &session{client: d.client, mounts: d.client.MountManager()}, nil
}

func (d *daemon) release(context.Context, *session) error { return nil }

func (d *daemon) blobs() (content.Provider, bool, error) {
	return d.client.ContentStore(), false, nil
}

// answers knocks first: the client waits for a socket that is not there. A daemon
// that had to be connected to again went away meanwhile.
func (d *daemon) answers(ctx context.Context) bool {
	return knock(ctx, d.address) == nil && d.ask(ctx) == nil && d.dialled.Load() == 1
}

func (d *daemon) close() error { return d.client.Close() }

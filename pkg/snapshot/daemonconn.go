package snapshot

import (
	"context"
	"net"

	"github.com/containerd/containerd/v2/pkg/dialer"
)

// wholeConn is a connection that is closed when it cannot be written to. gRPC
// leaves that to whoever reads, and a call waits for ever where nothing comes.
type wholeConn struct{ net.Conn }

func dialWhole(ctx context.Context, address string) (net.Conn, error) {
	conn, err := dialer.ContextDialer(ctx, address)
	if err != nil {
		return nil, err
	}
	return wholeConn{conn}, nil
}

func (c wholeConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Close() // the error of the write says more
	}
	return n, err
}

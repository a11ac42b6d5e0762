package snapshot

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
)

// TestDialIsInterrupted gives the reason for which its context ended.
func TestDialIsInterrupted(t *testing.T) {
	address := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	why := errors.New("a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := dial(ctx, address); !errors.Is(err, why) {
		t.Errorf("dial = %v, want %v", err, why)
	}
}

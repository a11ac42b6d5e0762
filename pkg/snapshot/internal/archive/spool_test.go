package archive

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestCancellable(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	still, w := io.Pipe()
	t.Cleanup(func() { w.Close() }) //nolint:errcheck // it never fails
	r := cancellable(ctx, still)
	defer r.Close()
	cancel(cause)
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	whole := cancellable(context.Background(), strings.NewReader("all"))
	if got, err := io.ReadAll(whole); err != nil || string(got) != "all" {
		t.Errorf("read %q and %v", got, err)
	}
}

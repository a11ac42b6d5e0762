package files

import (
	"context"
	"os"
	"sync"
)

// Stderr is standard error, which several goroutines write to. Who reads it may
// stall: what is told then is lost once the work is to end, and does not hold
// that up.
type Stderr struct {
	mu  sync.Mutex
	out *inPlace
}

// NewStderr gives standard error, for work that ctx ends.
func NewStderr(ctx context.Context, file *os.File) *Stderr {
	s := &Stderr{out: &inPlace{file: file, name: "standard error", grace: readerGrace}}
	s.EndBy(ctx)
	return s
}

// EndBy has ctx, and no other one, end the work from here on.
func (s *Stderr) EndBy(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.stop, s.out.why = ctx.Done(), func() error { return context.Cause(ctx) }
}

func (s *Stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

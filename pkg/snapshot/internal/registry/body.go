package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// watched makes a request whose answer may not stand still, neither before it
// begins nor in its body.
func (t *retrying) watched(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(t.idle, func() { cancel(fmt.Errorf("%w for %s", errIdle, t.idle)) })
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		if req.Context().Err() == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, cancelled: req.Context().Err, idle: t.idle, timer: timer, cancel: cancel}
	return resp, nil
}

// watchedBody makes every way in which a body can break, standing still too,
// the one that containerd's fetcher resumes.
type watchedBody struct {
	io.ReadCloser
	// cancelled gives why the request was ended by ourselves, or nil.
	cancelled func() error
	idle      time.Duration
	timer     *time.Timer
	// cancel ends the request, which fails a read that stands still.
	cancel context.CancelCauseFunc
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && b.cancelled() == nil {
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

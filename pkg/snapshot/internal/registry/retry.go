package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// maxTries is how often a request is made of a registry. A mirror that
	// fails is not waited for: the next host is asked.
	maxTries, mirrorTries = 5, 1
	// firstWait doubles with each try: 0.5, 1, 2 and 4 seconds.
	firstWait = 500 * time.Millisecond
	// maxRetryAfter is the longest that a registry may ask to wait. Public
	// ones ask for hours when a quota is used up: then it is better to fail.
	maxRetryAfter = 30 * time.Second
	// maxWaiting bounds all the waits of one pull.
	maxWaiting = 2 * time.Minute
	// maxIdle is how long a registry may say nothing at all, before or within an
	// answer: a cache may have to fetch a blob first.
	maxIdle = time.Minute
)

// retrying makes requests again that a registry refuses for now, or whose
// connection breaks, with growing waits; and lets whoever reads a body that
// breaks know that it can be resumed. containerd's resolver repeats some of
// them too, but at once, which no registry's limit survives.
type retrying struct {
	next http.RoundTripper
	// tries is how often a request is made.
	tries int
	*patience
}

// patience is what one pull has with all of its hosts together.
type patience struct {
	notify func(string)
	// wait sleeps, or gives the reason for which ctx ended.
	wait func(ctx context.Context, d time.Duration) error
	// idle is how long a host may say nothing.
	idle time.Duration

	mu     sync.Mutex
	waited time.Duration
}

func newPatience(notify func(string)) *patience {
	return &patience{notify: notify, wait: sleep, idle: maxIdle}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// RoundTrip implements http.RoundTripper.
func (t *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	backoff := firstWait
	for try := 1; ; try++ {
		resp, err := t.watched(req)
		cause := passing(resp, err)
		if cause == nil {
			return resp, err
		}
		if resp != nil {
			// The cause says all that the body could.
			if err := resp.Body.Close(); err != nil {
				return nil, err
			}
		}
		delay := backoff
		var busy *BusyError
		if errors.As(cause, &busy) && busy.After > 0 {
			delay = busy.After
		}
		next, again := repeated(req)
		if try == t.tries || !again || !t.affords(delay) {
			return nil, cause
		}
		t.notify(fmt.Sprintf("%s: %v: trying again in %s", req.URL.Host, cause, delay))
		if err := t.wait(req.Context(), delay); err != nil {
			return nil, err
		}
		req, backoff = next, 2*backoff
	}
}

// affords takes a wait from the pull's budget.
func (p *patience) affords(delay time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delay > maxRetryAfter || p.waited+delay > maxWaiting {
		return false
	}
	p.waited += delay
	return true
}

// passing gives the reason for which a request is worth another try, or nil.
func passing(resp *http.Response, err error) error {
	switch {
	case errors.Is(err, errIdle), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrCut, err)
	case err != nil:
		return nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &BusyError{Code: resp.StatusCode, After: retryAfter(resp.Header.Get("Retry-After"))}
	}
	return nil
}

// longest is what a longer wait counts as, which no time.Duration holds.
const longest = 365 * 24 * time.Hour

// retryAfter reads the header of that name: seconds, or a date (RFC 9110,
// 10.2.3); 0 where there is none.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if (err == nil || errors.Is(err, strconv.ErrRange)) && seconds > 0 {
		return time.Duration(min(seconds, int64(longest/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(time.Until(date).Round(time.Second), 0)
	}
	return 0
}

// repeated gives the request once more, where its body can be had again.
func repeated(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, true
}

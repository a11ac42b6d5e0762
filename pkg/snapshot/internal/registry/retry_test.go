package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script answers requests one after another; the last answer stays.
type script struct {
	answers []answered
	bodies  []string
}

type answered struct {
	status int
	after  string
	err    error
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	a := s.answers[min(len(s.bodies), len(s.answers)-1)]
	s.bodies = append(s.bodies, body)
	if a.err != nil {
		return nil, a.err
	}
	resp := &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req}
	if a.after != "" {
		resp.Header.Set("Retry-After", a.after)
	}
	return resp, nil
}

func TestRetrying(t *testing.T) {
	const ms = time.Millisecond
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		answers []answered
		tries   int
		waits   []time.Duration
		// want is the status in the end, or the error's text.
		want    int
		wantErr string
	}{
		{"fine", []answered{{status: 200}}, 5, nil, 200, ""},
		{"not found is final", []answered{{status: 404}}, 5, nil, 404, ""},
		{"denied is final", []answered{{status: 401}}, 5, nil, 401, ""},
		{"503 once", []answered{{status: 503}, {status: 200}}, 5, []time.Duration{500 * ms}, 200, ""},
		{"503 for ever", []answered{{status: 503}}, 5, []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms}, 0, "503 Service Unavailable"},
		{"Retry-After", []answered{{status: 429, after: "7"}, {status: 429}, {status: 200}}, 5, []time.Duration{7000 * ms, 1000 * ms}, 200, ""},
		{"Retry-After too long", []answered{{status: 429, after: "31"}}, 5, nil, 0, "429 Too Many Requests, for another 31s"},
		{"Retry-After in sum too long", []answered{{status: 429, after: "30"}}, 9, []time.Duration{30000 * ms, 30000 * ms, 30000 * ms, 30000 * ms}, 0, "429"},
		{"a mirror is asked once", []answered{{status: 503}}, 1, nil, 0, "503"},
		{"reset", []answered{{err: syscall.ECONNRESET}, {status: 200}}, 5, []time.Duration{500 * ms}, 200, ""},
		{"closed", []answered{{err: io.EOF}, {err: io.ErrUnexpectedEOF}, {status: 200}}, 5, []time.Duration{500 * ms, 1000 * ms}, 200, ""},
		{"any other error is final", []answered{{err: refused}}, 5, nil, 0, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{answers: c.answers}
			r := &retrying{next: s, tries: c.tries, patience: newPatience(func(string) {})}
			var waits []time.Duration
			r.wait = func(_ context.Context, d time.Duration) error {
				waits = append(waits, d)
				return nil
			}
			req, err := http.NewRequest(http.MethodPost, "http://example.com/token", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := r.RoundTrip(req)
			switch {
			case c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
				t.Errorf("error %v, want %q", err, c.wantErr)
			case c.wantErr == "" && (err != nil || resp.StatusCode != c.want):
				t.Errorf("got %v, %v; want status %d", resp, err, c.want)
			}
			if len(waits) != len(c.waits) {
				t.Fatalf("waited %v, want %v", waits, c.waits)
			}
			for i := range waits {
				if waits[i] != c.waits[i] {
					t.Errorf("waited %v, want %v", waits, c.waits)
				}
			}
			for i, body := range s.bodies {
				if body != "body" {
					t.Errorf("request %d had the body %q", i, body)
				}
			}
		})
	}
}

func TestRetryingEndsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &retrying{
		next: &script{answers: []answered{{status: 503}}}, tries: maxTries,
		patience: newPatience(func(string) { cancel(cause) }),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.RoundTrip(req); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "12": 12 * time.Second,
		"9223372037": longest, "99999999999999999999": longest, "-99999999999999999999": 0,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):  time.Hour,
	} {
		if got := retryAfter(value); (got - want).Abs() > 2*time.Second {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

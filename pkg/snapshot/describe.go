package snapshot

import (
	"context"
	"fmt"
)

// Image finds the image that the request names, by its manifest and config
// alone: no layer is fetched, nothing is unpacked and no name is given. What it
// fetched from a registry goes again. Archives are opened by OpenArchive instead.
func (s *Store) Image(ctx context.Context, req Request) (*Image, error) {
	if req.Source.Kind != ImageName {
		return nil, fmt.Errorf("finding image %q: it is the source of a %s", req.Source, req.Source.Kind)
	}
	want, err := platform(req.Platform)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	req.documents = true
	v := &View{Key: key, store: s, source: req.Source, made: new(ledger)}
	err = s.with(ctx, func(ctx context.Context, sess *session) error {
		err := v.attempt(ctx, sess, func() error {
			held, err := v.hold(ctx, sess, nil)
			if err != nil {
				return err
			}
			read, err := readingAny(held, sess, want)
			if err == nil {
				v.Image, err = s.named(held, sess, req, read)
			}
			return err
		})
		if err != nil {
			return err
		}
		whole, cancel := undoing(ctx)
		defer cancel()
		return v.undo(whole, sess, true)
	})
	if err != nil {
		return nil, err
	}
	return v.Image, nil
}

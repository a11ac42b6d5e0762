package snapshot

import (
	"io"

	"github.com/containerd/log"
	"github.com/sirupsen/logrus"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/registry"
)

// LogTo sends what containerd's libraries log to w, all of it, or nowhere
// where w is nil. They have one logger for the whole process, and log for a
// daemon's journal, not for a person.
func LogTo(w io.Writer) error {
	if w == nil {
		log.L.Logger.SetOutput(io.Discard)
		return nil
	}
	log.L.Logger.SetOutput(w)
	hooks := make(logrus.LevelHooks)
	hooks.Add(registry.NewDiscreet())
	log.L.Logger.ReplaceHooks(hooks)
	return log.SetLevel("debug")
}

package registry

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
)

// discreet is what NewDiscreet gives.
type discreet struct{ query *regexp.Regexp }

// NewDiscreet gives a hook of containerd's logger that takes out what is as good as
// a password: headers, which hosts.toml may set to tokens, and what follows
// the "?" of an address, which a registry signs when it redirects. containerd
// leaves out the Authorization header alone.
func NewDiscreet() logrus.Hook {
	// One that cannot be parsed may have spaces, and is quoted.
	return discreet{query: regexp.MustCompile(`(https?://[^"?\n]+\?)[^\s"]+`)}
}

// plainHeaders are the headers that help to see what is going on.
func plainHeaders() []string {
	return []string{
		"accept", "accept-encoding", "range", "user-agent",
		"content-length", "content-range", "content-type", "docker-content-digest", "retry-after",
	}
}

// Levels makes discreet a hook of every level.
func (d discreet) Levels() []logrus.Level { return logrus.AllLevels }

// Fire changes the entry, which is logged after it; it is a copy already.
func (d discreet) Fire(entry *logrus.Entry) error {
	entry.Message = d.withoutQuery(entry.Message)
	for key, value := range entry.Data {
		_, header, isHeader := strings.Cut(key, ".header.")
		switch {
		case isHeader && !slices.Contains(plainHeaders(), header):
			entry.Data[key] = "(not shown)"
		default:
			entry.Data[key] = d.withoutQuery(fmt.Sprint(value))
		}
	}
	return nil
}

func (d discreet) withoutQuery(text string) string {
	return d.query.ReplaceAllString(text, "$1(not shown)")
}

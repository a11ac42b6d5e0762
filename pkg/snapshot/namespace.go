package snapshot

import (
	"errors"

	"github.com/containerd/containerd/v2/pkg/identifiers"
)

var errNamespace = errors.New(`it is letters and digits, with single ".", "_" and "-" between them, and not over 76 of them`)

// CheckNamespace says whether text is a namespace that Options takes: the empty
// one is the default.
func CheckNamespace(text string) error {
	// containerd's own error is a regular expression.
	if text != "" && identifiers.Validate(text) != nil {
		return errNamespace
	}
	return nil
}

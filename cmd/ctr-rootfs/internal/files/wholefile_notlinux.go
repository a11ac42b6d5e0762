//go:build !linux

package files

import (
	"errors"
	"os"
)

// umask is left to the system: 0022 is what nearly everybody has.
var umask os.FileMode = 0o022

func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, string) error { return errors.ErrUnsupported }

//go:build !linux

package hostfile

func stuckCalls() []Call { return nil }

// RemoteFileSystem is not known here.
func RemoteFileSystem(string) string { return "" }

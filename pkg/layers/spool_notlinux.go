//go:build !linux && !windows

package layers

func openSpool(dir string) (*spool, error) { return unlinkedSpool(dir) }

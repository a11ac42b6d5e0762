//go:build !linux && !windows

package layers

func openSpoolFile(dir string) (*spoolFile, error) { return unlinkedSpoolFile(dir) }

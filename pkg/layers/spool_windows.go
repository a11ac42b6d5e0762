package layers

// openSpool leaves the name until the file is closed: Windows removes no open
// file.
func openSpool(dir string) (*spool, error) { return createSpool(dir) }

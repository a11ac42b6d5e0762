package archive

// openSpool leaves the name until the file is closed: Windows removes no open
// file.
func openSpool(dir string) (archiveFile, error) { return createSpool(dir) }

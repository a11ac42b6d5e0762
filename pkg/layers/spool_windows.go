package layers

// openSpoolFile leaves the name until the file is closed: Windows removes no
// open file.
func openSpoolFile(dir string) (*spoolFile, error) { return createSpoolFile(dir) }

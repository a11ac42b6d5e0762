package spoolfile

// open leaves the name until the file is closed: Windows removes no open file.
func open(dir string) (*File, error) { return named(dir) }

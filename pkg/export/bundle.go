package export

import (
	"bytes"
	"time"
)

// Bundle shows root as an OCI bundle: config.json (0644) with the bytes of
// config, and rootfs/ (0755) with the tree, below the directory name, or at
// the top where name is empty, as the runtime-spec asks (bundle.md). What it
// adds has owner 0:0 and the time mtime. The tree that it returns closes root.
func Bundle(root Tree, config []byte, name string, mtime time.Time) (Tree, error) {
	base := ""
	if name != "" {
		var err error
		if base, err = prefixDir(name); err != nil {
			return nil, err
		}
	}
	rootfs, err := Prefix(root, join(base, "rootfs"), mtime)
	if err != nil {
		return nil, err
	}
	return Insert(rootfs, []Made{{
		Path:    join(base, "config.json"),
		Type:    Regular,
		Mode:    0o644,
		Content: bytes.Clone(config),
		MTime:   mtime,
	}}), nil
}

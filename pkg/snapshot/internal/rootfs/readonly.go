package rootfs

import (
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
)

// ReadOnly gives mounts that show the same and cannot be written to: an upper
// directory becomes the topmost lower one, in the templates of the erofs
// snapshotter, too. Filesystems with a journal are told to leave it alone,
// which they would else play back even when they are mounted read-only.
func ReadOnly(mounts []mount.Mount) []mount.Mount {
	safe := Cloned(mounts)
	for i := range safe {
		m := &safe[i]
		upper, hasUpper := "", false
		options := make([]string, 0, len(m.Options)+2)
		for _, option := range m.Options {
			key, value, _ := strings.Cut(option, "=")
			switch key {
			case "upperdir":
				upper, hasUpper = value, true
			case "rw", "ro", "workdir", "volatile":
			default:
				options = append(options, option)
			}
		}
		if hasUpper {
			options = onTop(upper, options)
		}
		switch strings.TrimPrefix(m.Type, "mkfs/") {
		case "ext4", "ext3":
			options = append(options, "noload")
		case "xfs":
			options = append(options, "norecovery")
		}
		options = append(options, "ro")
		m.Options = options
	}
	return safe
}

// onTop puts a layer above those of an overlay's options.
func onTop(layer string, options []string) []string {
	layer = escapeLayer(layer)
	for i, option := range options {
		if lower, ok := strings.CutPrefix(option, "lowerdir="); ok {
			options[i] = "lowerdir=" + layer + ":" + lower
		}
	}
	return options
}

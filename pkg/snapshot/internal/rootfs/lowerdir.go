package rootfs

import "strings"

// SplitLayers splits at colons; a backslash takes the meaning from the
// character after it (kernel, Documentation/filesystems/overlayfs.rst).
func SplitLayers(value string) []string {
	var layers []string
	var layer strings.Builder
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '\\' && i+1 < len(value):
			i++
			layer.WriteByte(value[i])
		case value[i] == ':':
			layers = append(layers, layer.String())
			layer.Reset()
		default:
			layer.WriteByte(value[i])
		}
	}
	return append(layers, layer.String())
}

// escapeLayer writes a layer's name so that SplitLayers gives it back.
func escapeLayer(name string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(name)
}

package imagetest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// file is one file of a layout or an archive.
type file struct {
	name string
	data []byte
}

// files are those of image-spec, image-layout.md, sorted by name.
func (c *Content) files() ([]file, error) {
	index, err := json.Marshal(c.Index)
	if err != nil {
		return nil, fmt.Errorf("encoding index.json: %w", err)
	}
	files := []file{
		{ispec.ImageIndexFile, index},
		{ispec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"` + ispec.ImageLayoutVersion + `"}`)},
	}
	for d, data := range c.Blobs {
		files = append(files, file{"blobs/" + d.Algorithm().String() + "/" + d.Encoded(), data})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// WriteLayout writes an OCI image layout into dir, which is made where missing.
func (c *Content) WriteLayout(dir string) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing layout %q: %w", dir, err)
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			return fmt.Errorf("writing layout %q: %w", dir, err)
		}
	}
	return nil
}

// WriteArchive writes the layout as a tar, uncompressed. It does not close w.
func (c *Content) WriteArchive(w io.Writer) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	return writeFiles(w, files)
}

func writeFiles(w io.Writer, files []file) error {
	layer := make(Layer, 0, len(files))
	for _, f := range files {
		e := File(f.name, 0o644, "")
		e.Body = f.data
		layer = append(layer, e)
	}
	if _, err := w.Write(layer.Tar()); err != nil {
		return fmt.Errorf("writing an archive: %w", err)
	}
	return nil
}

// WriteDockerArchive writes what `docker save` wrote before it wrote layouts:
// manifest.json, the config and a plain tar for each layer. It does not close w.
func WriteDockerArchive(w io.Writer, name string, image Image) error {
	config := image.config()
	var files []file
	var layers []string
	for _, data := range image.tars() {
		diffID := digest.FromBytes(data)
		path := diffID.Encoded() + "/layer.tar"
		if !slices.Contains(layers, path) {
			files = append(files, file{path, data})
		}
		layers = append(layers, path)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
	}
	configJSON, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encoding the config of %q: %w", name, err)
	}
	configPath := digest.FromBytes(configJSON).Encoded() + ".json"
	manifest, err := json.Marshal([]dockerManifest{{Config: configPath, RepoTags: []string{name}, Layers: layers}})
	if err != nil {
		return fmt.Errorf("encoding manifest.json of %q: %w", name, err)
	}
	files = append(files, file{configPath, configJSON}, file{"manifest.json", manifest})
	return writeFiles(w, files)
}

// dockerManifest is an element of manifest.json; see docker's image spec v1.2,
// "Combined Image JSON + Filesystem Changeset Format".
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

package document

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// store is blobs in memory.
type store map[digest.Digest][]byte

func (s store) add(mediaType, text string) ispec.Descriptor {
	desc := ispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
	s[desc.Digest] = []byte(text)
	return desc
}

func (s store) ReaderAt(_ context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
	data, is := s[desc.Digest]
	if !is {
		return nil, errdefs.ErrNotFound
	}
	return embedded{bytes.NewReader(data)}, nil
}

// text is a descriptor as a document holds it.
func text(d ispec.Descriptor) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, d.MediaType, d.Digest, d.Size)
}

const (
	index    = ispec.MediaTypeImageIndex
	manifest = ispec.MediaTypeImageManifest
	list     = images.MediaTypeDockerSchema2ManifestList
	schema2  = images.MediaTypeDockerSchema2Manifest
	layer    = ispec.MediaTypeImageLayer
)

// place stands for the config and the layer in the documents of a table.
var place = strings.NewReplacer("CONFIG", `"config":CONFIGBLOB`, "LAYERS", `"layers":[LAYERBLOB]`)

// written makes a document of a row of a table.
func written(s store, doc string) string {
	config := s.add(ispec.MediaTypeImageConfig, `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["`+digest.FromString("").String()+`"]}}`)
	return strings.NewReplacer("CONFIGBLOB", text(config), "LAYERBLOB", text(s.add(layer, ""))).Replace(place.Replace(doc))
}

// TestKinds reads documents that say of themselves what their descriptor says, or
// nothing, and refuses those that are two things at once, or another one.
func TestKinds(t *testing.T) {
	for _, c := range []struct{ mediaType, doc, said string }{
		{manifest, `{CONFIG,LAYERS}`, ""},
		{manifest, `{"schemaVersion":2,CONFIG,LAYERS}`, ""},
		{manifest, `{"schemaVersion":2,"mediaType":"` + manifest + `",CONFIG,LAYERS}` + "\n", ""},
		{schema2, `{"schemaVersion":2,"mediaType":"` + schema2 + `",CONFIG,LAYERS}`, ""},
		{schema2, `{"schemaVersion":2,CONFIG,LAYERS}`, ""},
		{manifest, " \n{CONFIG,LAYERS,\"image\":1,\"annotations\":{\"a\":\"1\",\"A\":\"2\"}}", ""},
		{index, `{"manifests":[]}`, ""},
		{index, `{"schemaVersion":2,"manifests":null}`, ""},
		{list, `{"schemaVersion":2,"mediaType":"` + list + `","manifests":[]}`, ""},

		{manifest, `{CONFIG,LAYERS,"manifests":[]}`, `it has "manifests"`},
		{manifest, `{CONFIG,LAYERS,"manifests":null}`, `it has "manifests"`},
		{manifest, `{CONFIG,LAYERS,"Manifests":[]}`, `it has "manifests"`},
		{manifest, `{CONFIG,LAYERS,"fsLayers":[]}`, `it has "fsLayers"`},
		{index, `{"manifests":[],CONFIG}`, `it has "config"`},
		{index, `{"manifests":[],LAYERS}`, `it has "layers"`},
		{index, `{"manifests":[],"layerS":null}`, `it has "layers"`},
		{index, `{"manifests":[],"fsLayers":[]}`, `it has "fsLayers"`},

		{manifest, `{"mediaType":"` + index + `",CONFIG,LAYERS}`, `it says of itself that it is "` + index},
		{manifest, `{"mediaType":"` + schema2 + `",CONFIG,LAYERS}`, `it says of itself that it is "` + schema2},
		{manifest, `{"mediaType":"application/json",CONFIG,LAYERS}`, `it says of itself that it is "application/json"`},
		{schema2, `{"mediaType":"` + manifest + `",CONFIG,LAYERS}`, `it says of itself that it is "` + manifest},
		{index, `{"mediaType":"` + manifest + `","manifests":[]}`, `it says of itself that it is "` + manifest},
		{index, `{"mediaType":"` + list + `","manifests":[]}`, `it says of itself that it is "` + list},
		{index, `{"mediaType":7,"manifests":[]}`, "cannot unmarshal number"},

		{manifest, `{"schemaVersion":1,CONFIG,LAYERS}`, "its schema version is 1, not 2"},
		{manifest, `{"schemaVersion":0,CONFIG,LAYERS}`, ""},
		{manifest, `{"schemaVersion":null,CONFIG,LAYERS}`, ""},
		{manifest, `{"schemaVersion":"2",CONFIG,LAYERS}`, "cannot unmarshal string"},
		{index, `{"schemaVersion":3,"manifests":[]}`, "its schema version is 3, not 2"},

		{manifest, `{CONFIG,LAYERS,"layers":[]}`, `it has "layers" twice`},
		{manifest, `{CONFIG,"layers":[],"Layers":[LAYERBLOB]}`, `it has "layers" twice, as "layers" and "Layers"`},
		{manifest, `{CONFIG,LAYERS,"Config":null}`, `it has "config" twice`},
		{manifest, "{CONFIG,LAYERS,\"layer\u017f\":[]}", `it has "layers" twice`},
		{manifest, `{"mediaType":"` + manifest + `",CONFIG,LAYERS,"MEDIATYPE":"` + manifest + `"}`, `it has "mediaType" twice`},
		{manifest, `{"config":{"mediaType":"` + ispec.MediaTypeImageConfig + `","digest":"sha256:a","size":1,"Digest":"sha256:b"},LAYERS}`, `it has "digest" twice`},
		{index, `{"manifests":[{"mediaType":"a","digest":"b","size":1,"platform":{"os":"linux","OS":"windows"}}]}`, `it has "os" twice`},
		{index, `{"manifests":[],"manifests":[]}`, `it has "manifests" twice`},
		{manifest, `{CONFIG,LAYERS,"annotations":{"a":"1","a":"2"}}`, `it has "a" twice`},

		{manifest, `null`, "it is not a JSON object"},
		{manifest, `[]`, "it is not a JSON object"},
		{index, `"manifests"`, "it is not a JSON object"},
		{index, ``, "it is not a JSON object"},
		{index, "\ufeff{}", "it is not a JSON object"},
		{index, `{"manifests":[]}{}`, "after top-level value"},
		{index, `{"manifests":[]}` + "\x00", "after top-level value"},
		{index, `{"manifests":[`, "unexpected end"},
		{index, strings.Repeat(`{"a":`, 1<<15) + strings.Repeat(`}`, 1<<15), "invalid character"},
		{manifest, `{LAYERS}`, "it names no config"},
		{manifest, `{"config":{"mediaType":"` + index + `","digest":"` + digest.FromString("").String() + `","size":0},LAYERS}`, `its config has the media type "` + index},
		{manifest, `{"config":{"mediaType":"` + schema2 + `","digest":"` + digest.FromString("").String() + `","size":0},LAYERS}`, `its config has the media type "` + schema2},
	} {
		s := store{}
		desc := s.add(c.mediaType, written(s, c.doc))
		var err error
		if images.IsIndexType(c.mediaType) {
			_, err = Index(t.Context(), s, desc)
		} else {
			_, _, err = Image(t.Context(), s, desc)
		}
		check(t, fmt.Sprintf("%s as %s", c.doc, c.mediaType), err, c.said)
	}
}

// check wants an error that says something, or none.
func check(t *testing.T, what string, err error, said string) {
	t.Helper()
	if len(what) > 300 {
		what = what[:300]
	}
	if (err == nil) != (said == "") || err != nil && !strings.Contains(err.Error(), said) {
		t.Errorf("%s: error %v, want %q", what, err, said)
	}
}

// TestConfigs reads configs, and refuses what they must not be.
func TestConfigs(t *testing.T) {
	ids := `"diff_ids":["` + digest.FromString("").String() + `"]`
	for config, said := range map[string]string{
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `}}`: "",
		`{"os":"linux","rootfs":{` + ids + `}}`:                 "",
		`{"os":"linux","rootfs":{"type":"",` + ids + `}}`:       "",
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"container_config":{"Cmd":null,"cmd":null},"config":{"Labels":{"x":"","X":""}}}`: "",
		`{"os":"linux","schemaVersion":"x","rootfs":{` + ids + `}}`:                                                                            "",
		`{"os":"linux","rootfs":{"type":"layers+base",` + ids + `}}`:                                                                           `its rootfs has the type "layers+base"`,
		`{"os":"linux","rootfs":{"type":"Layers",` + ids + `}}`:                                                                                `its rootfs has the type "Layers"`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"manifests":[]}`:                                                                 `it has "manifests"`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"layers":[]}`:                                                                    `it has "layers"`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"mediaType":"` + manifest + `"}`:                                                 `it says of itself that it is "` + manifest,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"rootfs":{}}`:                                                                    `it has "rootfs" twice`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `,"Diff_IDs":[]}}`:                                                                  `it has "diff_ids" twice`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"config":{"Env":[],"env":["A=1"]}}`:                                              `it has "Env" twice`,
		`{"os":"linux","Os":"windows","rootfs":{"type":"layers",` + ids + `}}`:                                                                 `it has "os" twice`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"history":[{"comment":"a","comment":"b"}]}`:                                      `it has "comment" twice`,
		`{"os":"linux","rootfs":{"type":"layers",` + ids + `},"config":{"Volumes":{"/a":{},"/a":{"b":null}}}}`:                                 `it has "/a" twice`,
		`null`: "it is not a JSON object",
	} {
		s := store{}
		m := s.add(manifest, `{"config":`+text(s.add(ispec.MediaTypeImageConfig, config))+`,"layers":[`+text(s.add(layer, ""))+`]}`)
		_, _, err := Image(t.Context(), s, m)
		check(t, config, err, said)
	}
}

// TestDescriptors compares documents, and what their descriptors embed, with the
// size and the digest that the descriptors say.
func TestDescriptors(t *testing.T) {
	const doc = `{"manifests":[]}`
	right := ispec.Descriptor{MediaType: index, Digest: digest.FromString(doc), Size: int64(len(doc))}
	for name, c := range map[string]struct {
		edit func(*ispec.Descriptor)
		said string
	}{
		"right":                  {func(*ispec.Descriptor) {}, ""},
		"sha512":                 {func(d *ispec.Descriptor) { d.Digest = digest.SHA512.FromString(doc) }, ""},
		"with urls":              {func(d *ispec.Descriptor) { d.URLs = []string{"http://127.0.0.1:1/"} }, ""},
		"larger":                 {func(d *ispec.Descriptor) { d.Size++ }, "it has 16 bytes, its descriptor says 17"},
		"smaller":                {func(d *ispec.Descriptor) { d.Size-- }, "it has 16 bytes, its descriptor says 15"},
		"no size":                {func(d *ispec.Descriptor) { d.Size = 0 }, "it has 16 bytes, its descriptor says 0"},
		"below zero":             {func(d *ispec.Descriptor) { d.Size = -16 }, "its size is said to be -16"},
		"too large":              {func(d *ispec.Descriptor) { d.Size = MaxBytes + 1 }, "more than the 16777216"},
		"another":                {func(d *ispec.Descriptor) { d.Digest = digest.FromString("x") }, "its digest is sha256:"},
		"no digest":              {func(d *ispec.Descriptor) { d.Digest = "" }, `digest ""`},
		"blake3":                 {func(d *ispec.Descriptor) { d.Digest = digest.Digest("blake3:" + right.Digest.Encoded()) }, "unsupported digest algorithm"},
		"not hexadecimal":        {func(d *ispec.Descriptor) { d.Digest = "sha256:../../etc" }, "invalid checksum digest"},
		"embedded":               {func(d *ispec.Descriptor) { d.Data = []byte(doc) }, ""},
		"another one embedded":   {func(d *ispec.Descriptor) { d.Data = []byte(`{"manifests":{}}`) }, "its descriptor embeds data with the digest sha256:"},
		"a shorter one":          {func(d *ispec.Descriptor) { d.Data = []byte(doc)[1:] }, "its descriptor embeds 15 bytes and says 16"},
		"nothing embedded":       {func(d *ispec.Descriptor) { d.Data = []byte{} }, "its descriptor embeds 0 bytes and says 16"},
		"embedded, wrong size":   {func(d *ispec.Descriptor) { d.Data, d.Size = []byte(doc), 15 }, "its descriptor embeds 16 bytes and says 15"},
		"embedded, other sha512": {func(d *ispec.Descriptor) { d.Data, d.Digest = []byte(doc), digest.SHA512.FromString("") }, "embeds data with the digest sha512:"},
	} {
		desc := right
		c.edit(&desc)
		_, err := Index(t.Context(), anything(doc), desc)
		check(t, name, err, c.said)
	}
}

// anything is a store that has one text by any digest.
type anything string

func (a anything) ReaderAt(context.Context, ispec.Descriptor) (content.ReaderAt, error) {
	return embedded{bytes.NewReader([]byte(a))}, nil
}

// TestEmbeddedIsUsed reads an image of which the store has the manifest alone.
func TestEmbeddedIsUsed(t *testing.T) {
	const config = `{"os":"linux","architecture":"amd64"}`
	s := store{}
	with := func(data string) ispec.Descriptor {
		return s.add(manifest, fmt.Sprintf(`{"config":{"mediaType":%q,"digest":%q,"size":%d%s},"layers":[]}`,
			ispec.MediaTypeImageConfig, digest.FromString(config), len(config), data))
	}
	_, got, err := Image(t.Context(), s, with(`,"data":"`+base64.StdEncoding.EncodeToString([]byte(config))+`"`))
	if err != nil || got.Architecture != "amd64" {
		t.Errorf("embedded: %+v, error %v", got, err)
	}
	for data, said := range map[string]string{
		`,"data":"` + base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(config))) + `"`: "embeds data with the digest",
		`,"data":"???"`: "illegal base64",
		`,"data":null`:  "not found",
		``:              "not found",
	} {
		_, _, err := Image(t.Context(), s, with(data))
		check(t, data, err, said)
	}
	odd := s.add(manifest, `{"config":`+text(s.add(ispec.MediaTypeImageConfig, config))+`,"layers":[{"mediaType":"`+layer+`","digest":"`+digest.FromString("").String()+`","size":0,"data":"e30="}]}`)
	_, _, err = Image(t.Context(), s, odd)
	check(t, "a layer's data", err, "layer 1 of 1: its descriptor embeds 2 bytes and says 0")
}

// TestCut reads a store whose blob ends too early.
func TestCut(t *testing.T) {
	_, err := Index(t.Context(), cut{}, ispec.Descriptor{MediaType: index, Digest: digest.FromString("0123456789"), Size: 10})
	check(t, "cut", err, "unexpected EOF")
	if _, err := Index(t.Context(), store{}, ispec.Descriptor{MediaType: index, Digest: digest.FromString("0123456789"), Size: 10}); !errors.Is(err, errdefs.ErrNotFound) {
		t.Errorf("absent: error %v", err)
	}
}

// cut says that it has ten bytes, and has four.
type cut struct{ embedded }

func (cut) ReaderAt(context.Context, ispec.Descriptor) (content.ReaderAt, error) {
	return cut{embedded{bytes.NewReader([]byte("0123"))}}, nil
}

func (cut) Size() int64 { return 10 }

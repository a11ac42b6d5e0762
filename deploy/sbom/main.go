// Command sbom prints what a Go program is made of, as a CycloneDX 1.6 document
// (ECMA-424): the modules that the linker wrote into the program itself, so
// that nothing is listed which is not in it.
//
//	sbom VERSION BINARY >BINARY.cdx.json
//
// VERSION is the program's own, which a linker does not know of a program that
// is built outside of the module cache.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom VERSION BINARY")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// document is the part of CycloneDX that is used. It has no serial number and
// no time: the same program gives the same document.
type document struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

func write(w io.Writer, version, binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("reading the build information of %q: %w", binary, err)
	}
	info.Main.Version = version
	data, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("reading %q: %w", binary, err)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(describe(info, filepath.Base(binary), sha256.Sum256(data)))
}

func describe(info *debug.BuildInfo, name string, sum [sha256.Size]byte) document {
	main := moduleComponent("application", info.Main)
	main.Hashes = []hash{{"SHA-256", fmt.Sprintf("%x", sum)}}
	main.Properties = []property{{"file", name}}
	for _, setting := range info.Settings {
		main.Properties = append(main.Properties, property{"go:build:" + setting.Key, setting.Value})
	}
	d := document{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{main}}
	// The standard library is a module like any other to scanners.
	modules := []*debug.Module{{Path: "stdlib", Version: info.GoVersion}}
	var refs []string
	for _, m := range append(modules, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		c := moduleComponent("library", *m)
		d.Components = append(d.Components, c)
		refs = append(refs, c.Ref)
	}
	d.Dependencies = []dependency{{main.Ref, refs}}
	return d
}

// moduleComponent names a module by its package URL. The sum is go.sum's, which
// is the hash of a tree and not of a file, so no hash in CycloneDX's sense.
func moduleComponent(kind string, m debug.Module) component {
	purl := "pkg:golang/" + m.Path
	if m.Version != "" {
		purl += "@" + m.Version
	}
	c := component{Type: kind, Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}

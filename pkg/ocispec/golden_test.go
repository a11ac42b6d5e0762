package ocispec

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden config.json files anew")

// goldens are the images of testdata: public ones, written by hand from the
// values that they have, each converted with other options.
var goldens = []struct {
	image   string
	options Options
}{
	{"nginx", Options{}},
	{"postgres", Options{ReadOnly: true, Memory: 512 << 20, CPUs: 2, PidsLimit: 200}},
	{"redis", Options{Seccomp: SeccompDefault}},
	{"distroless-static-nonroot", Options{Args: []string{"/server", "--port=8080"}}},
	{"nixos-nix", Options{TTY: true}},
	{"grafana", Options{UserGroups: UserGroupsDocker}},
	{"elasticsearch", Options{Env: []string{"discovery.type=single-node", "SHELL"}}},
	{"memcached", Options{CapDrop: []string{"ALL"}}},
	{"httpd", Options{TTY: true, Hostname: "web", NoNewPrivileges: new(false), Mounts: []rspec.Mount{
		{Destination: "/usr/local/apache2/htdocs", Type: "bind", Source: "/srv/www", Options: []string{"rbind", "ro"}},
	}}},
	{"busybox", Options{Rootless: &HostUser{UID: 1000, GID: 1000}}},
	{"rabbitmq", Options{CapAdd: []string{"SYS_NICE"}, CapDrop: []string{"MKNOD"}, Annotations: map[string]string{"purpose": "test"}}},
	{"jenkins", Options{Cwd: "/var/jenkins_home", OCIVersion: "1.2.0"}},
	{"alpine-s390x", Options{User: "guest", Seccomp: SeccompDefault, CapAdd: []string{"SYS_PTRACE", "BPF"}}},
}

// TestGolden compares each image's config.json with the file; run it with
// -update, and read the difference, after a change that is meant.
func TestGolden(t *testing.T) {
	schema := runtimeSchema(t)
	for _, g := range goldens {
		t.Run(g.image, func(t *testing.T) {
			img, acc := readImage(t, g.image)
			spec, err := New(img, acc, g.options)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", g.image, "config.json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %s", golden, firstDifference(got, want))
			}
			validate(t, schema, want)
			if !NeedsAccounts(img, g.options) {
				if blind, err := New(img, Accounts{}, g.options); err != nil || !reflect.DeepEqual(blind, spec) {
					t.Errorf("NeedsAccounts is false, but without them: %+v, %v", blind, err)
				}
			}
			if _, err := Check(want); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// TestSchemaRefuses holds that the schema is the real one, and looked into.
func TestSchemaRefuses(t *testing.T) {
	schema := runtimeSchema(t)
	for _, bad := range []string{
		`{"root":{"path":"rootfs"}}`,
		`{"ociVersion":"1.0.2","mounts":[{"source":"x"}]}`,
		`{"ociVersion":"1.0.2","linux":{"namespaces":[{"type":"disk"}]}}`,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(document) == nil {
			t.Errorf("valid by the schema: %s", bad)
		}
	}
}

func readImage(t *testing.T, name string) (ispec.Image, Accounts) {
	t.Helper()
	read := func(file string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name, file))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var img ispec.Image
	if err := json.Unmarshal(read("image.json"), &img); err != nil {
		t.Fatal(err)
	}
	return img, Accounts{Passwd: read("passwd"), Group: read("group")}
}

// runtimeSchema compiles the schema in runtime-spec's own module.
func runtimeSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	if err != nil {
		t.Fatalf("asking go for runtime-spec's directory: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4) // only the schema's first file names its draft
	compiler.UseLoader(schemaLoader{})
	schema, err := compiler.Compile(filepath.Join(strings.TrimSpace(string(out)), "schema", "config-schema.json"))
	if err != nil {
		t.Fatalf("compiling runtime-spec's schema: %v", err)
	}
	return schema
}

// schemaLoader mends the one reference that lacks its slash in runtime-spec
// 1.3.0 (defs.json, ArrayOfUint32), at which a strict compiler stops.
type schemaLoader struct{}

func (schemaLoader) Load(url string) (any, error) {
	data, err := os.ReadFile(strings.TrimPrefix(url, "file://"))
	if err != nil {
		return nil, err
	}
	data = bytes.ReplaceAll(data, []byte(`"#definitions/`), []byte(`"#/definitions/`))
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

func validate(t *testing.T, schema *jsonschema.Schema, config []byte) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Errorf("not valid by runtime-spec's schema: %v", err)
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "line " + strings.TrimSpace(g[i]) + ", want " + strings.TrimSpace(w[i])
		}
	}
	return "one is longer than the other"
}

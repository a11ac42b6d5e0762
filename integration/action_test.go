package integration_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// action is action.yml as GitHub documents it ("Metadata syntax reference");
// a field that is not there fails the test.
type action struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Branding    struct {
		Icon  string `json:"icon"`
		Color string `json:"color"`
	} `json:"branding"`
	Inputs map[string]struct {
		Description string `json:"description"`
		Required    bool   `json:"required"`
		Default     string `json:"default"`
	} `json:"inputs"`
	Outputs map[string]struct {
		Description string `json:"description"`
		Value       string `json:"value"`
	} `json:"outputs"`
	Runs struct {
		Using string       `json:"using"`
		Steps []actionStep `json:"steps"`
	} `json:"runs"`
}

type actionStep struct {
	ID    string            `json:"id"`
	If    string            `json:"if"`
	Shell string            `json:"shell"`
	Run   string            `json:"run"`
	Uses  string            `json:"uses"`
	Env   map[string]string `json:"env"`
	With  map[string]string `json:"with"`
}

func readAction(t *testing.T) action {
	t.Helper()
	text, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.UnmarshalStrict(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestActionReads holds action.yml to the rules of a composite action, and
// keeps inputs out of the scripts' text.
func TestActionReads(t *testing.T) {
	a := readAction(t)
	if a.Runs.Using != "composite" || a.Name == "" || a.Description == "" {
		t.Errorf("it is %+v", a)
	}
	expression := regexp.MustCompile(`\$\{\{ *(inputs|steps)\.([a-z-]+)(\.outputs\.[a-z-]+)? *\}\}`)
	known := map[string]bool{}
	for name, input := range a.Inputs {
		known["inputs."+name] = true
		if input.Description == "" || input.Required == (input.Default != "") && name != "platform" && name != "args" {
			t.Errorf("input %s is %+v", name, input)
		}
	}
	check := func(where, text string) {
		for _, m := range expression.FindAllStringSubmatch(text, -1) {
			if !known[m[1]+"."+m[2]] {
				t.Errorf("%s asks for %q, which is not there yet", where, m[0])
			}
		}
	}
	for _, step := range a.Runs.Steps {
		if (step.Run == "") == (step.Uses == "") || (step.Run != "") != (step.Shell != "") {
			t.Errorf("step %s needs run with shell, or uses", step.ID)
		}
		if strings.Contains(step.Run, "${{") {
			t.Errorf("step %s has an expression in its script, where it would be code", step.ID)
		}
		for _, text := range step.Env {
			check(step.ID, text)
		}
		for _, text := range step.With {
			check(step.ID, text)
		}
		known["steps."+step.ID] = true
	}
	for name, output := range a.Outputs {
		check("output "+name, output.Value)
	}
}

// serveRelease serves the tests' program as a release, with the checksum of
// what it should be.
func serveRelease(t *testing.T, program []byte) string {
	t.Helper()
	data, err := os.ReadFile(programs.ctrRootfs)
	if err != nil {
		t.Fatal(err)
	}
	name := "ctr-rootfs_v0.0.0-test_linux_" + runtime.GOARCH
	files := map[string][]byte{
		"/v0.0.0-test/" + name:    program,
		"/v0.0.0-test/SHA256SUMS": fmt.Appendf(nil, "%x  other\n%x  %s\n", sha256.Sum256(nil), sha256.Sum256(data), name),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if content, ok := files[r.URL.Path]; ok {
			_, _ = w.Write(content) // who went away asks again
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// runner is what GitHub gives the steps of an action.
type runner struct {
	dir, path string
	inputs    map[string]string
	outputs   map[string]string // by steps.ID.outputs.NAME
}

// step runs a step's script as GitHub does: bash --noprofile --norc -eo pipefail.
func (r *runner) step(t *testing.T, s actionStep) (output string, err error) {
	t.Helper()
	script := filepath.Join(r.dir, "script")
	out, paths := filepath.Join(r.dir, "output"), filepath.Join(r.dir, "path")
	for name, text := range map[string]string{script: s.Run, out: "", paths: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir = filepath.Join(r.dir, "work")
	cmd.Env = []string{"PATH=" + r.path, "HOME=" + r.dir, "RUNNER_TEMP=" + r.dir, "GITHUB_OUTPUT=" + out, "GITHUB_PATH=" + paths, "GORACE=atexit_sleep_ms=0"}
	for name, value := range s.Env {
		for input, given := range r.inputs {
			value = strings.ReplaceAll(value, "${{ inputs."+input+" }}", given)
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err = cmd.Run()
	if added, rerr := os.ReadFile(paths); rerr == nil && len(added) > 0 {
		r.path = strings.TrimSpace(string(added)) + ":" + r.path
	}
	if set, rerr := os.ReadFile(out); rerr == nil {
		for line := range strings.Lines(string(set)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			r.outputs["steps."+s.ID+".outputs."+name] = value
		}
	}
	return all.String(), err
}

func newRunner(t *testing.T, a action, given map[string]string) *runner {
	t.Helper()
	r := &runner{dir: t.TempDir(), path: os.Getenv("PATH"), inputs: map[string]string{}, outputs: map[string]string{}}
	for name, input := range a.Inputs {
		r.inputs[name] = input.Default
	}
	for name, value := range given {
		r.inputs[name] = value
	}
	if err := os.Mkdir(filepath.Join(r.dir, "work"), 0o700); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAction runs the scripts of action.yml: the program is downloaded and
// checked, and writes what it is asked for.
func TestAction(t *testing.T) {
	a := readAction(t)
	archive := writeArchive(t, "", standard(t))
	program, err := os.ReadFile(programs.ctrRootfs)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		given map[string]string
		like  []string
	}{
		"tar":  {map[string]string{"output": "out.tar"}, nil},
		"none": {map[string]string{"output": "out.tar", "profile": "none", "args": "--exclude\nusr/share/with space\n"}, []string{"--profile", "none", "--exclude", "usr/share/with space"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.given["source"], test.given["version"], test.given["releases"] = "oci-archive:"+archive, "v0.0.0-test", serveRelease(t, program)
			r := newRunner(t, a, test.given)
			for _, step := range a.Runs.Steps {
				if step.Run == "" {
					continue // actions/cache is GitHub's
				}
				if out, err := r.step(t, step); err != nil {
					t.Fatalf("step %s: %v\n%s", step.ID, err, out)
				}
			}
			got, err := os.ReadFile(filepath.Join(r.dir, "work", "out.tar"))
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"export", "--reproducible"}, append(test.like, "oci-archive:"+archive)...)
			if want := ctrRootfs(t, args...).stdout; !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
			want := "ctr-rootfs-" + strings.TrimSpace(keyOf(t, append(args[1:], "-o", "out.tar")...))
			if key := r.outputs["steps.key.outputs.key"]; key != want {
				t.Errorf("the key is %q, want %q", key, want)
			}
		})
	}
	t.Run("a damaged download", func(t *testing.T) {
		r := newRunner(t, a, map[string]string{"version": "v0.0.0-test", "releases": serveRelease(t, program[:len(program)-1])})
		if out, err := r.step(t, a.Runs.Steps[0]); err == nil || !strings.Contains(out, "did NOT match") {
			t.Errorf("it is taken: %v\n%s", err, out)
		}
	})
}

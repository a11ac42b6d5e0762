package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestGitLab runs the scripts of the GitLab component twice: the second time
// the output comes out of the cache.
func TestGitLab(t *testing.T) {
	text, err := os.ReadFile("../deploy/gitlab/export.yml")
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(text), "\n---\n")
	var spec struct {
		Spec struct {
			Inputs map[string]struct{ Default string }
		}
	}
	if err := yaml.Unmarshal([]byte(head), &spec); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(programs.ctrRootfs)
	if err != nil {
		t.Fatal(err)
	}
	archive := writeArchive(t, "", standard(t))
	given := map[string]string{"source": "oci-archive:" + archive, "version": "v0.0.0-test", "releases": serveRelease(t, program)}
	for name, input := range spec.Spec.Inputs {
		if _, ok := given[name]; !ok {
			given[name] = input.Default
		}
		body = strings.ReplaceAll(body, "$[[ inputs."+name+" ]]", given[name])
	}
	if strings.Contains(body, "$[[") {
		t.Fatalf("an input is asked for that is not there:\n%s", body)
	}
	var jobs map[string]struct {
		Variables            map[string]string
		BeforeScript, Script []string
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(body, "before_script:", "beforeScript:")), &jobs); err != nil {
		t.Fatal(err)
	}
	job := jobs["export-rootfs"]
	dir := t.TempDir()
	run := func() string {
		cmd := exec.Command("bash", "-eo", "pipefail", "-c", strings.Join(append(job.BeforeScript, job.Script...), "\n"))
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}
		for name, value := range job.Variables {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got, err := os.ReadFile(filepath.Join(dir, "rootfs.tar"))
		if err != nil {
			t.Fatal(err)
		}
		want := ctrRootfs(t, "export", "--reproducible", "--platform", "linux/amd64", "oci-archive:"+archive).stdout
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d\n%s", len(got), len(want), out)
		}
		return string(out)
	}
	if out := run(); !strings.Contains(out, "wrote ") {
		t.Errorf("the first run exports nothing:\n%s", out)
	}
	if out := run(); strings.Contains(out, "wrote ") {
		t.Errorf("the second run exports again:\n%s", out)
	}
}

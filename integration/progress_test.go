package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// stageLine is a line of --progress json.
type stageLine struct {
	Stage, Unit, Message, Level string
	Done, Total                 int64
}

// stagesOf reads the lines of --progress json: the stages in their order, each
// with its last line.
func stagesOf(t *testing.T, stderr string) (order []string, last map[string]stageLine) {
	t.Helper()
	last = map[string]stageLine{}
	for line := range strings.Lines(stderr) {
		var l stageLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("stderr has %q: %v", line, err)
		}
		if l.Message != "" {
			continue
		}
		if l.Done < last[l.Stage].Done {
			t.Errorf("stage %q goes back to %d from %d", l.Stage, l.Done, last[l.Stage].Done)
		}
		if !slices.Contains(order, l.Stage) {
			order = append(order, l.Stage)
		}
		last[l.Stage] = l
	}
	return order, last
}

// TestProgressJSON looks at the stages of a pull and of an archive, and holds that
// stdout carries the tar alone.
func TestProgressJSON(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	image := large()
	image.Layers = append(image.Layers, imagetest.Layer{})
	for i := range 10000 { // they take long to unpack
		image.Layers[2] = append(image.Layers[2], imagetest.File(fmt.Sprintf("small-%d", i), 0o644, ""))
	}
	r.push(t, "standard:1", image)
	_, slow := r.before(t, func(_ http.ResponseWriter, req *http.Request, _ int) bool {
		if strings.Contains(req.URL.Path, "/blobs/") {
			time.Sleep(300 * time.Millisecond)
		}
		return false
	})
	hosts := servedBy(t, slow)
	archive := "oci-archive:" + writeArchive(t, "", image)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"pulled":            {[]string{"--via", "view", "--hosts-dir", hosts, standardName}, []string{"pulling", "unpacking", "exporting"}},
		"pulled, layers":    {[]string{"--hosts-dir", hosts, standardName}, []string{"pulling", "reading", "exporting"}},
		"archive":           {[]string{archive}, []string{"reading", "exporting"}},
		"archive, unpacked": {[]string{"--via", "view", archive}, []string{"reading", "unpacking", "exporting"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := ctrRootfs(t, append([]string{"export", "--progress", "json", "--store", filepath.Join(t.TempDir(), "store")}, c.args...)...)
			order, last := stagesOf(t, o.stderr)
			if !slices.Equal(order, c.want) {
				t.Errorf("stages %q, want %q", order, c.want)
			}
			for _, stage := range order {
				l := last[stage]
				if l.Unit == "" || l.Total <= 0 || l.Done > l.Total || l.Done == 0 {
					t.Errorf("%s ends at %d of %d %s", stage, l.Done, l.Total, l.Unit)
				}
			}
			readTar(t, o.stdout)
		})
	}
}

// TestStageEndsBeforeOutput has stdout and stderr in one pipe, as on a terminal:
// what is listed or printed comes when nothing is shown any more.
func TestStageEndsBeforeOutput(t *testing.T) {
	source := "oci-archive:" + writeArchive(t, "", standard(t))
	for verb, first := range map[string]string{"ls": "lrwx", "spec": "{\n\t\"ociVersion\""} {
		both := merged(t, invocation{args: []string{verb, "--progress", "json", source}})
		stage, output := strings.LastIndex(both, `{"stage":`), strings.Index(both, first)
		if stage < 0 || output < 0 || stage > output {
			t.Errorf("%s: the last stage is at %d, the output at %d of\n%s", verb, stage, output, both)
		}
	}
}

// merged runs with stdout and stderr in one pipe.
func merged(t *testing.T, i invocation) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := i.command()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	both, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%q: %v\n%s", i.args, err, both)
	}
	return string(both)
}

// TestProgressAuto is plain lines where stderr is no terminal or a dumb one, and
// a bar, which moves the cursor, on any other.
func TestProgressAuto(t *testing.T) {
	command(t, nil, "script", "--version")
	const escape = "\x1b["
	source := "oci-archive:" + writeArchive(t, "", large())
	// --compress gzip:9 takes longer than a bar needs to be drawn.
	export := "stty cols 80 rows 24; " + programs.ctrRootfs + " export --compress gzip:9 -o /dev/null " + source
	for name, c := range map[string]struct {
		line string
		bar  bool
	}{
		"a terminal":      {"export TERM=xterm; " + export, true},
		"a dumb terminal": {"export TERM=dumb; " + export, false},
		"a pipe":          {"export TERM=xterm; " + export + " 2>&1 | cat", false},
		"plain, by flag":  {"export TERM=xterm; " + export + " --progress plain", false},
		"quiet":           {"export TERM=xterm; " + export + " --progress quiet; echo wrote", false},
		"a bar asked for": {"export TERM=dumb; " + export + " --progress tty", true},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, nil, "script", "-q", "-e", "-c", c.line, "/dev/null")
			if bar := strings.Contains(got, escape) && strings.Contains(got, "exporting"); bar != c.bar {
				t.Errorf("a bar is shown: %v, want %v, in %q", bar, c.bar, got)
			}
			if !c.bar && strings.Contains(got, escape) || !strings.Contains(got, "wrote") {
				t.Errorf("it shows %q", got)
			}
		})
	}
}

// TestProgressPlain writes a line now and then, whole ones only, where it takes
// long, and none where it does not.
func TestProgressPlain(t *testing.T) {
	source := "oci-archive:" + writeArchive(t, "", large())
	s := stall(t, invocation{args: []string{"export", "--progress", "plain", source}})
	time.Sleep(6 * time.Second) // a line is told every 5 s
	if _, status := s.rest(t); status != 0 || !strings.Contains(s.stderr.String(), "ctr-rootfs: exporting: ") {
		t.Errorf("exit status %d, it tells %q", status, s.stderr)
	}
	for line := range strings.Lines(s.stderr.String()) {
		if !strings.HasPrefix(line, "ctr-rootfs: ") || !strings.HasSuffix(line, "\n") || strings.Contains(line, "\x1b") {
			t.Errorf("it tells %q", line)
		}
	}
}

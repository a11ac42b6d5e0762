package integration_test

import (
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// verbRun is one verb with its flags, and how it ends: with 0 and nothing on stderr,
// or with 1 and these words on its one line.
type verbRun struct{ line, fails string }

// TestFieldsOfWrongTypes: who does not need a field of the config is not stopped
// by it, and who needs it names it.
func TestFieldsOfWrongTypes(t *testing.T) {
	needsRoot(t)
	config := func(field string, value any) map[string]any {
		return map[string]any{"config": map[string]any{"Cmd": []string{"/probe"}, field: value}}
	}
	const field = "of the image's config: want "
	for name, c := range map[string]struct {
		fields map[string]any
		runs   []verbRun
	}{
		"Cmd": {config("Cmd", "/probe -x"), []verbRun{
			{"spec", "reading config.Cmd " + field + "array, not string: give the command behind --"}, {"bundle", "config.Cmd"}, {"spec -- /probe", ""},
		}},
		"Entrypoint": {config("Entrypoint", "/probe"), []verbRun{
			{"spec", "config.Entrypoint " + field + "array, not string: give the command behind --"}, {"spec -- /probe", ""},
		}},
		"Env": {config("Env", map[string]string{"A": "1"}), []verbRun{
			{"spec", "config.Env " + field + "array, not object: use --config FILE"}, {"spec -- /probe", "config.Env"},
		}},
		"User":       {config("User", 1000), []verbRun{{"spec", "config.User " + field + "string, not number: say who with --user"}, {"spec --user 5", ""}}},
		"WorkingDir": {config("WorkingDir", []string{"/"}), []verbRun{{"spec", "config.WorkingDir " + field}, {"spec --cwd /srv", ""}}},
		"Volumes": {config("Volumes", []string{"/data"}), []verbRun{
			{"spec", "config.Volumes " + field + "object, not array: leave the volumes out with --volumes none"}, {"spec --volumes none", ""},
		}},
		"ExposedPorts": {config("ExposedPorts", []int{80}), []verbRun{{"spec", "config.ExposedPorts " + field + "object, not array"}}},
		"Labels":       {config("Labels", map[string]int{"a": 1}), []verbRun{{"spec", "config.Labels " + field + "string, not number"}}},
		"StopSignal":   {config("StopSignal", 9), []verbRun{{"spec", "config.StopSignal " + field + "string, not number"}}},
		"ArgsEscaped":  {config("ArgsEscaped", "yes"), []verbRun{{"spec", ""}}},
		"Healthcheck":  {config("Healthcheck", "NONE"), []verbRun{{"spec", ""}}},
		"nulls": {map[string]any{"created": nil, "history": nil, "config": map[string]any{
			"Cmd": []string{"/probe"}, "Env": nil, "Labels": nil, "Volumes": nil, "ExposedPorts": nil, "User": nil, "WorkingDir": nil, "Entrypoint": nil,
		}}, []verbRun{{"spec", ""}, {"bundle", ""}}},
		"docker's own": {map[string]any{"container_config": "x", "docker_version": 5, "config": map[string]any{
			"Cmd": []string{"/probe"}, "Hostname": 5, "Memory": "1", "CpuShares": []int{1}, "OnBuild": "RUN x", "Shell": "/bin/sh", "Tty": "no",
		}}, []verbRun{{"spec", ""}}},
		"config of a wrong type": {map[string]any{"config": "none"}, []verbRun{
			{"spec", "reading config " + field + "object, not string: use --config FILE"}, {"spec -- /probe", "reading config of"},
		}},
		"no config": {map[string]any{"config": nil}, []verbRun{{"spec", "no Entrypoint and no Cmd"}, {"spec -- /probe", ""}}},
		"author":    {map[string]any{"author": []string{"a"}}, []verbRun{{"spec", "author " + field + "string, not array"}}},
		"history":   {map[string]any{"history": []any{map[string]any{"created": ""}}}, []verbRun{{"spec", ""}, {"export --reproducible", ""}}},
		"no date":   {map[string]any{"created": ""}, []verbRun{{"spec", ""}, {"export --reproducible", ""}}},
		"odd date": {map[string]any{"created": "yesterday"}, []verbRun{
			{"spec", `reading created of the image's config: "yesterday" is not a date and time of RFC 3339: use --config FILE`},
			{"export --reproducible", `": reading created of the image's config: "yesterday" is not a date and time of RFC 3339: set SOURCE_DATE_EPOCH`},
			{"ls --reproducible", "set SOURCE_DATE_EPOCH"}, {"export --print-key --reproducible", "set SOURCE_DATE_EPOCH"}, {"export --print-key", ""},
		}},
		"a number as date":           {map[string]any{"created": 1700000000}, []verbRun{{"spec", "created " + field + "string, not number"}, {"export --reproducible", "created"}}},
		"a platform of a wrong type": {map[string]any{"os.features": "x"}, []verbRun{{"spec", "os.features"}}},
	} {
		t.Run(name, func(t *testing.T) {
			image := oneFile()
			image.Fields = c.fields
			source := "oci-archive:" + writeArchive(t, "", image)
			if name != "a platform of a wrong type" {
				c.runs = append(c.runs, verbRun{"export", ""}, verbRun{"ls", ""})
			}
			for _, r := range c.runs {
				r.check(t, source)
			}
		})
	}
}

// check runs the line on source, and holds how it ends.
func (r verbRun) check(t *testing.T, source string) {
	t.Helper()
	flags, args, rest := strings.Cut(r.line, " -- ")
	line := append(strings.Fields(flags), "--progress", "quiet", source)
	if rest {
		line = append(line, "--", args)
	}
	o := invocation{args: line}.run(t)
	switch {
	case r.fails == "" && (o.status != 0 || o.stderr != ""):
		t.Errorf("%s: exit status %d, %q; want 0 and nothing", r.line, o.status, o.stderr)
	case r.fails != "" && (o.status != 1 || !strings.Contains(o.stderr, r.fails) || strings.Count(o.stderr, "\n") != 1):
		t.Errorf("%s: exit status %d, %q; want 1 and a line with %q", r.line, o.status, o.stderr, r.fails)
	}
}

// TestDateOfAnotherForm: a date of the user's own serves in the place of one that
// cannot be read.
func TestDateOfAnotherForm(t *testing.T) {
	needsRoot(t)
	image := oneFile()
	image.Fields = map[string]any{"created": "yesterday"}
	o := invocation{args: []string{"export", "--reproducible", "--progress", "quiet", "oci-archive:" + writeArchive(t, "", image)}, env: []string{"SOURCE_DATE_EPOCH=5"}}.succeed(t)
	for _, e := range readTar(t, o.stdout) {
		if e.Sec > 5 {
			t.Errorf("%q has the time %d", e.Path, e.Sec)
		}
	}
}

// TestLeftOutOfConfig: each entry of the config that config.json lacks is reported
// once, by spec, by bundle, and in --metadata-file.
func TestLeftOutOfConfig(t *testing.T) {
	needsRoot(t)
	image := imageOf(ispec.ImageConfig{
		Env:     []string{"ALONE", "A=1", "=x", "A=2"},
		Labels:  map[string]string{"": "v"},
		Volumes: named("/", "/proc/x", "/data", "cache", "/loose", "/out", "/dev/null", "/devices", "/devices/x", "/dev/store"),
	}, imagetest.Layer{
		imagetest.File("probe", 0o755, ""), imagetest.Dir("data", 0o755), imagetest.FIFO("data/pipe", 0o644),
		imagetest.Symlink("loose", "sys/fs"), imagetest.Symlink("out", "../.."), imagetest.Dir("sys", 0o755),
		// A volume in /dev is filled from the tmpfs there, not from the image.
		imagetest.Symlink("devices", "dev"), imagetest.Dir("dev/store", 0o755), imagetest.Char("dev/store/null", 0o666, 1, 3),
	})
	source := "oci-archive:" + writeArchive(t, "", image)
	want := []string{
		`Env "ALONE": it has no "="`, `Env "A=1": a later entry sets "A", too`, `Env "=x": it has no name`,
		`Labels "": an annotation of config.json has a name`,
		`Volumes "/": nothing can be mounted on the root itself`, `Volumes "/proc/x": the kernel's own files are in "/proc"`,
		`Volumes "/loose": the kernel's own files are in "/sys"`, `Volumes "/out": nothing can be mounted on the root itself`,
		`Volumes "/dev/null": runtimes make the device "/dev/null"`, `Volumes "/devices": a tmpfs is there already`,
		`Volumes "/data": it stays in the root, because runc cannot copy the FIFO "data/pipe" into a tmpfs`,
	}
	metadata := t.TempDir() + "/metadata.json"
	for _, args := range [][]string{{"spec"}, {"bundle"}, {"bundle", "--metadata-file", metadata}} {
		o := ctrRootfs(t, append(args, "--progress", "quiet", source)...)
		for _, line := range want {
			if strings.Count(o.stderr, "ctr-rootfs: left out of config.json: "+line+"\n") != 1 {
				t.Errorf("%s lacks %q, or has it twice:\n%s", args, line, o.stderr)
			}
		}
		if lines := strings.Count(o.stderr, "\n"); lines != len(want) {
			t.Errorf("%s tells %d lines, want %d:\n%s", args, lines, len(want), o.stderr)
		}
	}
	var told []string
	for _, left := range readCounts(t, metadata).LeftOut {
		if left.Config != "" {
			told = append(told, left.Config+": "+left.Why)
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(told)), slices.Sorted(slices.Values(want))) {
		t.Errorf("--metadata-file has\n%q, want\n%q", told, want)
	}
	few := ctrRootfs(t, "spec", "--progress", "quiet", "--volumes", "none", "--env", "ALONE=1", "--env", "A", source).stderr
	if few != "ctr-rootfs: left out of config.json: Env \"=x\": it has no name\n"+
		"ctr-rootfs: left out of config.json: Labels \"\": an annotation of config.json has a name\n" {
		t.Errorf("with flags that settle the others: %q", few)
	}
}

// TestPlacesOfTheConfig: a volume and a working directory that the root has no
// place for are errors that name the flag.
func TestPlacesOfTheConfig(t *testing.T) {
	needsRoot(t)
	for name, c := range map[string]struct {
		config ispec.ImageConfig
		runs   []verbRun
	}{
		"a volume on a file": {ispec.ImageConfig{Volumes: named("/probe")}, []verbRun{
			{"bundle", `making "probe" for a volume of the image: "probe" is a regular file, not a directory: leave the volumes out with --volumes none`},
			{"bundle --volumes none", ""}, {"bundle --mount type=tmpfs,target=/probe", "for a mount of config.json"},
		}},
		"a volume below a file": {ispec.ImageConfig{Volumes: named("/ln/x")}, []verbRun{{"bundle", `"probe" is a regular file`}}},
		"a workdir on a file": {ispec.ImageConfig{WorkingDir: "/probe"}, []verbRun{
			{"bundle", `making "probe" for the working directory: "probe" is a regular file, not a directory: choose another with --cwd DIR`}, {"bundle --cwd /srv", ""},
		}},
		"a workdir below a file":       {ispec.ImageConfig{WorkingDir: "/ln/x"}, []verbRun{{"bundle", `"probe" is a regular file`}}},
		"a workdir of a loop":          {ispec.ImageConfig{WorkingDir: "/loop/x"}, []verbRun{{"bundle", "too many levels of symbolic links"}}},
		"a volume of a loop":           {ispec.ImageConfig{Volumes: named("/loop/x")}, []verbRun{{"bundle", "too many levels of symbolic links"}, {"spec", `finding volume "/loop/x"`}}},
		"a relative workdir":           {ispec.ImageConfig{WorkingDir: "srv"}, []verbRun{{"spec", `WorkingDir "srv": not an absolute path: choose another with --cwd DIR`}, {"spec --cwd /srv", ""}}},
		"an empty string as a command": {ispec.ImageConfig{Entrypoint: []string{"", ""}}, []verbRun{{"spec", `process.args of ["" ""]: the command is an empty string: give the command behind --`}, {"spec -- /probe", ""}}},
		"what no image could need":     {ispec.ImageConfig{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			source := "oci-archive:" + writeArchive(t, "", imageOf(c.config, imagetest.Layer{
				imagetest.File("probe", 0o755, ""), imagetest.Symlink("ln", "probe"), imagetest.Symlink("loop", "loop"),
			}))
			for _, r := range c.runs {
				r.check(t, source)
			}
			if c.runs == nil {
				refuse(t, []string{"spec", source, "--", ""}, 2, "the command is an empty string")
				refuse(t, []string{"spec", "--volumes", "bind", source}, 2, `volumes "bind": want "tmpfs" or "none"`)
			}
		})
	}
}

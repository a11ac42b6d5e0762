package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// image is one that containerd has unpacked, with a view of it mounted.
type image struct {
	name      string
	whole     string // its finished tar, on tmpfs
	variables []string
	files     int
	loaded    map[string]error // by the program that was given it
}

// openImage makes the image where it is missing, has containerd unpack it, and
// mounts a view. done undoes what is in scratch.
func (b *bench) openImage(ctx context.Context, name string) (_ *image, done func(), err error) {
	archive, err := b.must(ctx, filepath.Join(b.top, "bench", "images", "make")+" "+name)
	if err != nil {
		return nil, nil, err
	}
	chain, err := chainID(ctx, b, archive)
	if err != nil {
		return nil, nil, err
	}
	// The image may have been made anew since containerd unpacked it.
	if _, err := b.must(ctx, "ctr snapshots info "+chain); err != nil {
		if _, err := b.must(ctx, "ctr images import "+archive); err != nil {
			return nil, nil, err
		}
	}
	variables, unmount, err := b.mountView(ctx, name, chain)
	if err != nil {
		return nil, nil, err
	}
	i := &image{name: name, whole: filepath.Join(b.scratch, "whole.tar"), loaded: make(map[string]error)}
	i.variables = slices.Concat(variables, []string{"ARCHIVE=" + archive, "WHOLE=" + i.whole, "LAYOUT=" + filepath.Join(b.cache, "layout-"+name)})
	if _, err := b.must(ctx, export+"-o $WHOLE $REF", i.variables...); err != nil {
		unmount()
		return nil, nil, err
	}
	return i, func() {
		unmount()
		if err := os.Remove(i.whole); err != nil {
			b.lack("tidying up after "+name, err)
		}
	}, nil
}

// mountView mounts a view of an unpacked image, in this program's own mount
// namespace, and gives the variables that name the image and the view.
func (b *bench) mountView(ctx context.Context, name, chain string) (variables []string, unmount func(), err error) {
	mounted, fresh := filepath.Join(b.scratch, "mounted"), filepath.Join(b.scratch, "fresh")
	for _, dir := range []string{mounted, fresh} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, nil, err
		}
	}
	key := fmt.Sprintf("bench-%s-%d", name, os.Getpid())
	// What no image and no lease refers to may be collected: the label keeps it,
	// and a collection before that makes it again.
	script := fmt.Sprintf(`for try in 1 2 3; do
			ctr snapshots view %[1]s %[2]s >/dev/null; ctr snapshots label %[1]s containerd.io/gc.root=bench >/dev/null && break
		done
		ctr snapshots mounts %[3]s %[1]s`, key, chain, mounted)
	line, err := b.must(ctx, script)
	if err != nil {
		return nil, nil, err
	}
	_, options, found := strings.Cut(line, " -o ")
	if !found {
		return nil, nil, fmt.Errorf("mounting a view of %s: containerd says %q, want an overlay", name, line)
	}
	variables = []string{"NAME=" + name, "REF=localhost/bench:" + name, "MOUNTED=" + mounted, "FRESH=" + fresh,
		"OPTIONS=" + options, "LAYERS=" + layers(options)}
	if _, err := b.must(ctx, "mount -t overlay -o $OPTIONS overlay $MOUNTED", variables...); err != nil {
		return nil, nil, err
	}
	return variables, func() {
		// The collector may have taken the view already: nothing refers to it.
		if _, err := b.must(context.WithoutCancel(ctx), "umount $MOUNTED; ctr snapshots rm "+key+" >/dev/null 2>&1 || true", variables...); err != nil {
			b.lack("unmounting the view of "+name, err)
		}
	}, nil
}

// layers gives the directories that an overlay's options name, with spaces between.
func layers(options string) string {
	for option := range strings.SplitSeq(options, ",") {
		if dirs, found := strings.CutPrefix(option, "lowerdir="); found {
			return strings.ReplaceAll(dirs, ":", " ")
		}
	}
	return ""
}

// loadInto gives the image to a program that has a store of its own, once.
func (i *image) loadInto(ctx context.Context, b *bench, program string) error {
	script := map[string]string{
		"docker": "docker image inspect $REF >/dev/null 2>&1 || docker load -q -i $ARCHIVE >/dev/null",
		"podman": "$PODMAN image exists $REF || $PODMAN load -q --signature-policy $PEERS/policy.json -i $ARCHIVE >/dev/null",
		"umoci":  "[ -d $LAYOUT ] || { mkdir $LAYOUT; tar -C $LAYOUT -xf $ARCHIVE; }",
	}[program]
	if err, known := i.loaded[program]; script == "" || known {
		return err
	}
	err := b.prepare(ctx, program)
	if err == nil {
		_, err = b.must(ctx, script, i.variables...)
	}
	i.loaded[program] = err
	return err
}

// prepare starts what a program needs, once.
func (b *bench) prepare(ctx context.Context, program string) error {
	switch program {
	case "docker":
		if _, err := b.must(ctx, "docker version"); err == nil {
			return nil
		}
		// It ends with this process, which is the first of its pid namespace.
		_, err := b.startDocker(ctx)
		return err
	case "podman":
		config := filepath.Join(b.scratch, "containers.conf")
		text := fmt.Sprintf("[engine]\nconmon_path = [%q]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n", filepath.Join(b.cache, "peers/usr/bin/conmon"))
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		b.env = append(b.env, "CONTAINERS_CONF="+config,
			"PODMAN=podman --root "+b.cache+"/podman --runroot "+b.cache+"/podman-run --tmpdir "+b.cache+"/podman-tmp --storage-driver overlay")
	}
	return nil
}

// chainID is the key of the image's topmost snapshot (image-spec, config.md).
func chainID(ctx context.Context, b *bench, archive string) (string, error) {
	config, err := b.must(ctx, `tar -xOf "$A" "$(tar -xOf "$A" manifest.json | sed 's/.*"Config":"\([^"]*\)".*/\1/')"`, "A="+archive)
	if err != nil {
		return "", err
	}
	var parsed struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal([]byte(config), &parsed); err != nil || len(parsed.RootFS.DiffIDs) == 0 {
		return "", fmt.Errorf("reading the config of %q: %w", archive, err)
	}
	chain := parsed.RootFS.DiffIDs[0]
	for _, id := range parsed.RootFS.DiffIDs[1:] {
		chain = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(chain+" "+id)))
	}
	return strings.TrimSpace(chain), nil
}

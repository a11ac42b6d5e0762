package export_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// randomRaw is an entry that this filesystem can hold, too.
func randomRaw(r *rand.Rand) rawEntry {
	text := func(most int) string {
		b := make([]byte, 1+r.IntN(most))
		for i := range b {
			if b[i] = byte(1 + r.IntN(255)); r.IntN(2) == 0 {
				b[i] = "ab=%-. \\\n"[r.IntN(9)]
			}
		}
		return string(b)
	}
	raw := rawEntry{
		target: text(150), value: []byte(text(40)), body: []byte(text(2000)), kind: uint8(r.UintN(6)),
		mode: r.Uint32(), uid: r.Uint32N(1<<32 - 1), gid: r.Uint32N(1<<32 - 1),
		sec: r.Int64N(1<<34-1<<32) - 1<<31, nsec: r.Uint32N(1e9), major: r.Uint32(), minor: r.Uint32(),
	}
	for range 1 + r.IntN(4) {
		raw.name = path.Join(raw.name, strings.ReplaceAll(text(60), "/", "_"))
	}
	if raw.kind == 0 || raw.kind == 1 {
		raw.attr = text(30) // Linux takes user.* of files and directories only
	}
	return raw
}

// GNU tar extracts random entries to what they were.
func TestGNUTarExtractsEntries(t *testing.T) {
	needRoot(t)
	if out, err := exec.Command("tar", "--version").Output(); err != nil || !bytes.HasPrefix(out, []byte("tar (GNU tar)")) {
		t.Skip("SKIPPED: there is no GNU tar")
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	raws := rawSeeds()
	for range 500 {
		raws = append(raws, randomRaw(r))
	}
	var all []*export.Entry
	for i, raw := range raws {
		raw.name = fmt.Sprintf("%03d%s", i, path.Clean("/"+raw.name)) // ".." in it stays below
		// What ext4 can hold; the seeds go beyond.
		raw.sec = max(min(raw.sec, 1<<34-1<<31-1), -1<<31)
		for _, e := range treeEntries(t, withParents(raw.entry())) {
			if e.Type == export.Directory && e.Path != path.Clean(raw.name) {
				e.MTime = time.Unix(int64(i), 0)
			}
			if e.Type == export.Symlink {
				e.Mode = 0o777 // Linux's symlinks have no other
			}
			all = append(all, e)
		}
	}
	data := writeTar(t, exporttest.New(all...))
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", dir)
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("seed %d: tar -x: %v: %.500s", seed, err, out)
	}
	want, got := treeLines(t, exporttest.New(all...)), treeLines(t, dirTree(t, dir))
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Fatalf("seed %d: GNU tar extracts\n%.600s\nwant\n%.600s", seed, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("seed %d: GNU tar extracts %d entries, want %d", seed, len(got), len(want))
	}
}

func treeEntries(t *testing.T, tree export.Tree) (all []*export.Entry) {
	t.Helper()
	must(t, tree.Walk(t.Context(), func(e *export.Entry) error {
		all = append(all, e)
		return nil
	}))
	return all
}

// treeLines lists a tree with its times and bodies.
func treeLines(t *testing.T, tree export.Tree) []string {
	t.Helper()
	lines, bodies := list(t, tree)
	for i, e := range treeEntries(t, tree) {
		lines[i] += fmt.Sprintf(" %d.%09d %q", e.MTime.Unix(), e.MTime.Nanosecond(), bodies[e.Path])
	}
	return lines
}

package daemon

import (
	"slices"
	"strings"
	"testing"
)

// Left is what an export must leave as it found it.
type Left struct {
	Leases    []string
	Snapshots []string
	Images    []string
	Mounts    []string
}

// Left asks the daemon for its leases, snapshots and images in a namespace,
// and the kernel for the mounts below the daemon's folder.
func (d *Daemon) Left(t testing.TB, namespace, snapshotter string) Left {
	t.Helper()
	mounts, err := MountsBelow("self", d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return Left{
		Leases:    d.list(t, "--namespace", namespace, "leases", "list", "--quiet"),
		Snapshots: d.list(t, "--namespace", namespace, "snapshots", "--snapshotter", snapshotter, "list"),
		Images:    d.list(t, "--namespace", namespace, "images", "list", "--quiet"),
		Mounts:    mounts,
	}
}

// Collect has the daemon collect its garbage, and returns when it is done: the
// end of a lease can be waited for.
func (d *Daemon) Collect(t testing.TB) {
	t.Helper()
	id := strings.TrimSpace(d.Ctr(t, "leases", "create"))
	d.Ctr(t, "leases", "delete", "--sync", id)
}

// list gives the first column of what ctr lists, sorted.
func (d *Daemon) list(t testing.TB, args ...string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(d.Ctr(t, args...)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] != "KEY" && fields[0] != "ID" {
			names = append(names, fields[0])
		}
	}
	slices.Sort(names)
	return names
}

// Since describes what is there now and was not there before; empty where
// nothing is.
func (now Left) Since(before Left) string {
	var lines []string
	added := func(kind string, now, before []string) {
		for _, name := range now {
			if !slices.Contains(before, name) {
				lines = append(lines, kind+" "+name)
			}
		}
	}
	added("lease", now.Leases, before.Leases)
	added("snapshot", now.Snapshots, before.Snapshots)
	added("image", now.Images, before.Images)
	added("mount", now.Mounts, before.Mounts)
	return strings.Join(lines, "\n")
}

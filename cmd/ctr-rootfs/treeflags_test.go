package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestLatest(t *testing.T) {
	at := func(seconds int64) *time.Time {
		when := time.Unix(seconds, 0)
		return &when
	}
	yearOne := time.Time{}
	for _, c := range []struct {
		name           string
		created, epoch *time.Time
		want           int64
	}{
		{"neither", nil, nil, 0},
		{"created", at(100), nil, 100},
		{"an earlier epoch", at(100), at(50), 50},
		{"a later epoch", at(100), at(150), 100},
		{"epoch alone", nil, at(50), 50},
		{"the year 1 is no date", &yearOne, at(50), 50},
		{"the year 1 alone", &yearOne, nil, 0},
	} {
		f := treeFlags{epoch: c.epoch}
		if got := f.latest(c.created); got.Unix() != c.want {
			t.Errorf("%s: %d, want %d", c.name, got.Unix(), c.want)
		}
	}
}

func TestReadEpoch(t *testing.T) {
	for text, ok := range map[string]bool{"0": true, "1700000000": true, "": true, "-1": false, "x": false, "1x": false, "1 2": false} {
		f := treeFlags{sourceDateEpoch: text}
		if err := f.readEpoch(); (err == nil) != ok {
			t.Errorf("SOURCE_DATE_EPOCH=%q: %v", text, err)
		}
	}
}

// TestExcludesInOrder reads patterns of files where the flag stands, so that a
// later "!" brings back what a file leaves out.
func TestExcludesInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "patterns")
	if err := os.WriteFile(file, []byte("usr\n# a comment\nopt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want []string }{
		{[]string{"--exclude-from", file, "--exclude", "!usr/a"}, []string{"usr", "opt", "!usr/a"}},
		{[]string{"--exclude", "!usr/a", "--exclude-from", file}, []string{"!usr/a", "usr", "opt"}},
		{[]string{"--exclude=a", "--exclude-from=" + file, "--exclude=b,c", "--exclude-from=" + file}, []string{"a", "usr", "opt", "b,c", "usr", "opt"}},
		{nil, nil},
	} {
		flags := pflag.NewFlagSet("export", pflag.ContinueOnError)
		f := newTreeFlags(flags)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		if err := f.check(t.Context()); err != nil || !slices.Equal(f.excludes, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.args, f.excludes, err, c.want)
		}
	}
}

package main

import (
	"testing"
	"time"
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

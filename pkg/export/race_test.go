//go:build race

package export_test

// raceAllocations is what a name costs more under the race detector, with which
// a sync.Pool drops some of what it is given, at random.
const raceAllocations = 1.5

// raceSlowdown is how many times as long compressing may take under it, and some
// more, since other packages are tested at the same time.
const raceSlowdown = 10

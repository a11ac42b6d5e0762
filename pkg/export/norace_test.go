//go:build !race

package export_test

const raceAllocations = 0

const raceSlowdown = 1

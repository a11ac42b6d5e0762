package snapshot

import (
	"strconv"
	"time"
)

// state is what can be said of the process that made a lease.
type state int

const (
	unknown state = iota
	living
	dead
)

// expiryLabel is containerd's: a lease with it ends at that time.
const expiryLabel = "containerd.io/gc.expire"

// stateOf judges the process that labels describe. A process of an earlier
// boot is dead. One in another pid namespace cannot be seen, and is only taken
// for dead when its lease has expired, as is one that left no description.
func stateOf(labels map[string]string, now time.Time) state {
	own := processLabels()
	boot, namespace := labels[labelBootID], labels[labelNamespace]
	switch {
	case boot != "" && own[labelBootID] != "" && boot != own[labelBootID]:
		return dead
	case boot == "" || namespace == "" || namespace != own[labelNamespace]:
		return ifExpired(labels, now)
	}
	pid, err := strconv.Atoi(labels[labelPID])
	if err != nil || labels[labelStarted] == "" {
		return ifExpired(labels, now)
	}
	started, err := startTime(pid)
	if err == nil && started == labels[labelStarted] {
		return living
	}
	return dead
}

func ifExpired(labels map[string]string, now time.Time) state {
	expires, err := time.Parse(time.RFC3339, labels[expiryLabel])
	if err == nil && now.After(expires) {
		return dead
	}
	return unknown
}

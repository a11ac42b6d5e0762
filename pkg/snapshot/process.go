package snapshot

import (
	"cmp"
	"errors"
	"io/fs"
	"strconv"
	"syscall"
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

// labelExpires stands for it on a lease with labelPaused: the store's collector is
// not to take all that says that a task is to be resumed.
const labelExpires = "ctr-rootfs.io/expires"

// stateOf judges the process that labels describe. A process of an earlier
// boot is dead. One in another pid namespace cannot be seen, and is only taken
// for dead when its lease has expired, as is one that left no description. One
// that this host will not tell of is unknown.
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
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		// proc_pid_stat(5): a process that ends between opening and reading is
		// the latter.
		return dead
	case err != nil:
		// It says nothing of the other process: this one may be out of
		// descriptors.
		return unknown
	case started != labels[labelStarted]:
		return dead
	}
	return living
}

func ifExpired(labels map[string]string, now time.Time) state {
	expires, err := time.Parse(time.RFC3339, cmp.Or(labels[expiryLabel], labels[labelExpires]))
	if err == nil && now.After(expires) {
		return dead
	}
	return unknown
}

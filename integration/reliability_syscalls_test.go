package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// ofTheRuntime are system calls of Go's runtime, which ends the process where
// they fail, or (getpeername, after a connect) takes that for a connection that
// is not there yet and waits: they are no part of an export, and are left alone.
var ofTheRuntime = strings.Fields(`arch_prctl brk clone clone3 epoll_create1 epoll_ctl epoll_pwait eventfd2 execve exit exit_group
	futex getpid gettid getrandom madvise mmap mprotect munmap nanosleep prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigprocmask
	rt_sigreturn sched_getaffinity sched_yield set_robust_list set_tid_address sigaltstack tgkill umask uname access timer_create timer_settime
	timer_delete getcpu membarrier kill pidfd_open pidfd_send_signal waitid getpeername`)

// faults are what a system call is made to answer; EIO where none is listed. A
// read of 0 bytes is a file that ends too early.
var faults = map[string][]string{
	"openat":  {"error=EIO", "error=EMFILE", "error=EACCES"},
	"read":    {"error=EIO", "retval=0"},
	"pread64": {"error=EIO", "retval=0"},
	"write":   {"error=ENOSPC"}, "pwrite64": {"error=ENOSPC"},
	"fsopen": {"error=EPERM"}, "fsmount": {"error=EPERM"}, "mount": {"error=EPERM"}, "unshare": {"error=EPERM"},
	"connect": {"error=ECONNREFUSED"},
}

// exposed is a way to export, of which every system call is made to fail.
type exposed struct {
	name string
	// args are those of the verb export, but for the output.
	args []string
	// strace are further arguments, of every run.
	strace []string
	// wrap is a program, with its arguments, that starts the binary.
	wrap []string
	// only are the calls to fail; all where it is empty.
	only []string
	// before is called ahead of each run.
	before func(*testing.T)
	out    sink
}

// TestSystemCalls fails each system call that an export makes on files,
// mounts, xattrs and sockets, the first, the second and so on of a thread: the
// run ends with an error and without output, or has the right bytes. Without
// SOAK only some of them fail.
func TestSystemCalls(t *testing.T) {
	needsRoot(t)
	needsStrace(t)
	inMemory(t)
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, smallName, small())
	d.Ctr(t, "images", "import", archive)
	r := startRegistry(t, registryOptions{})
	r.push(t, "small:1", small())
	hosts := hostsDir(t, "example.com", "server = \"http://"+r.host+"\"\n")
	store, pulled := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "store")
	want := ctrRootfs(t, "export", "oci-archive:"+archive).stdout
	file := func() sink { return wholeFile{outputDir{t.TempDir(), want}} }
	viaDaemon, ofArchive := []string{"--address", d.Address, smallName}, []string{"oci-archive:" + archive}
	mounted := []string{"--address", d.Address, committedOf(t, d, smallName)}
	for _, e := range []exposed{
		{name: "daemon", args: viaDaemon, out: file()},
		{name: "daemon to a pipe", args: viaDaemon, out: pipe{want}},
		{name: "unpacking", args: append([]string{"--store", store, "--via", "view"}, ofArchive...), out: file()},
		{name: "mount", args: mounted, out: file()},
		{name: "old mount", args: mounted, strace: []string{"-e", "inject=fsopen:error=ENOSYS"}, out: file()},
		{name: "old xattrs", args: viaDaemon, wrap: refusing(t, syscall.ENOSYS, xattrCalls), only: []string{"llistxattr", "lgetxattr"}, out: file()},
		{name: "layers", args: ofArchive, out: file()},
		{name: "directory", args: append([]string{"--format", "dir"}, ofArchive...), out: newDirSink(t, archive)},
		{name: "pull", args: []string{"--store", pulled, "--hosts-dir", hosts, smallName}, before: func(t *testing.T) {
			ctrRootfs(t, "gc", "--images", "--store", pulled)
		}, out: file()},
	} {
		if e.before == nil {
			e.before = func(*testing.T) {}
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.failEach(t)
		})
	}
}

// failEach runs e once to learn its system calls, and then with each failed.
func (e exposed) failEach(t *testing.T) {
	random := seeded(t)
	cases := e.cases(t)
	if n := rounds(t, 40); n < len(cases) {
		random.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		cases = cases[:n]
	}
	var injected, failed int
	seen := map[string]bool{}
	for _, c := range cases {
		status, hit := e.failOne(t, c)
		if hit {
			injected++
			seen[c.call] = true
		}
		if status != 0 {
			failed++
		}
	}
	if injected == 0 {
		t.Error("no system call was failed, so this test saw nothing")
	}
	t.Logf("%d runs, %d with a failed system call (%d kinds), of which %d ended with an error", len(cases), injected, len(seen), failed)
}

// inject is one fault: the nth call of a thread.
type inject struct {
	call, fault string
	n           int
}

func (i inject) String() string { return fmt.Sprintf("%s:%s:when=%d", i.call, i.fault, i.n) }

// allOf is up to which call of a thread each is failed; of further ones, every
// tenth.
const allOf = 12

// cases lists the faults for what one run calls.
func (e exposed) cases(t *testing.T) []inject {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	e.before(t)
	status, stdout, stderr := e.run(t, []string{"-o", trace})
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	e.out.check(t, status, stdout)
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var all []inject
	for call, n := range mostOfAThread(data) {
		if len(e.only) > 0 && !slices.Contains(e.only, call) {
			continue
		}
		for _, fault := range append(faults[call], "error=EIO")[:max(1, len(faults[call]))] {
			for i := 1; i <= n; i++ {
				if i <= allOf || i%10 == 0 {
					all = append(all, inject{call, fault, i})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b inject) int { return strings.Compare(a.String(), b.String()) })
	return all
}

var tracedCall = regexp.MustCompile(`(?m)^(\d+) +([a-z_0-9]+)\(`)

// mostOfAThread says how often one thread at most made each system call.
func mostOfAThread(trace []byte) map[string]int {
	ofThread, most := map[string]int{}, map[string]int{}
	for _, m := range tracedCall.FindAllSubmatch(trace, -1) {
		thread, call := string(m[1]), string(m[2])
		if slices.Contains(ofTheRuntime, call) || strings.HasPrefix(call, "syscall_") {
			continue
		}
		ofThread[thread+call]++
		most[call] = max(most[call], ofThread[thread+call])
	}
	return most
}

// failOne runs e with one fault; hit says that a call was failed.
func (e exposed) failOne(t *testing.T, c inject) (status int, hit bool) {
	t.Helper()
	e.before(t)
	trace := filepath.Join(t.TempDir(), "trace")
	status, stdout, stderr := e.run(t, []string{"-o", trace, "-e", "trace=" + c.call, "-e", "inject=" + c.String()})
	t.Run(c.String(), func(t *testing.T) {
		e.out.check(t, status, stdout)
		data, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		hit = bytes.Contains(data, []byte("(INJECTED)"))
		if !isTheRuntimes(stderr, data) {
			checkOneCause(t, status, stderr)
		}
		if t.Failed() {
			t.Logf("exit status %d\n%.2000s%s", status, stderr, injectedLines(data))
		}
	})
	return status, hit
}

// isTheRuntimes says that the fault hit what Go's runtime does not survive (the
// check of the standard descriptors, the event by which it wakes its poller),
// or standard error itself.
func isTheRuntimes(stderr string, trace []byte) bool {
	return strings.Contains(stderr, "fatal error: cannot open standard fds") || strings.Contains(stderr, "fatal error: runtime: netpollBreak") ||
		strings.Contains(injectedLines(trace), "write(2, ")
}

// ofTheRaceDetector is what its runtime says when the name of the program, which
// it reads before anything else runs, cannot be had.
var ofTheRaceDetector = regexp.MustCompile(`(?m)^==\d+==WARNING: reading executable name failed with errno .*\n`)

func checkOneCause(t *testing.T, status int, stderr string) {
	t.Helper()
	stderr = ofTheRaceDetector.ReplaceAllString(stderr, "")
	if strings.Contains(stderr, "panic:") || strings.Contains(stderr, "fatal error:") {
		t.Errorf("it crashed:\n%.2000s", stderr)
		return
	}
	if lines := errorLines(stderr); status != 0 && len(lines) != 1 {
		t.Errorf("%d lines on stderr, want 1:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// injectedLines are those of a trace that show what was failed.
func injectedLines(trace []byte) string {
	var found []string
	for line := range strings.Lines(string(trace)) {
		if strings.Contains(line, "(INJECTED)") && len(found) < 8 {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}

// patience is how long a run may take that takes a fraction of a second. A
// registry has a minute to answer, and 30 seconds to accept a connection: Go
// waits for all of them where getpeername fails, and again for the next one.
const patience = 3 * time.Minute

func (e exposed) run(t *testing.T, strace []string) (status int, stdout []byte, stderr string) {
	t.Helper()
	i := invocation{args: slices.Concat([]string{"export"}, e.args[:len(e.args)-1], e.out.args(), e.args[len(e.args)-1:])}
	i.strace = slices.Concat([]string{"--seccomp-bpf"}, strace, e.strace)
	cmd := i.command()
	// strace itself is waited for: its trace is whole then.
	cmd.Args = slices.DeleteFunc(cmd.Args, func(arg string) bool { return arg == "-D" })
	if at := slices.Index(cmd.Args, programs.ctrRootfs); len(e.wrap) > 0 {
		cmd.Args = slices.Insert(cmd.Args, at, e.wrap...)
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hang := time.AfterFunc(patience, func() {
		t.Errorf("%v hangs", i.strace)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be through
	})
	defer hang.Stop()
	err := cmd.Wait()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.Bytes(), errOut.String()
}

// Command bench measures ctr-rootfs beside the other ways to write an image's
// root filesystem, all in turn on one machine, and checks first that each writes
// the right tree. It is run by "make bench", as root, in mount and pid namespaces
// of its own, so that nothing it starts or mounts outlives it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what all measurements share.
type bench struct {
	top     string // the repository
	cache   string // images, and what the daemons keep
	scratch string // outputs, on tmpfs
	runs    int
	env     []string // of every command
	address string   // containerd's socket
	missing []string // what could not be had, and why
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) == 3 && args[0] == "verdict" {
		return printVerdict(args[1], args[2])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	runs := flags.Int("runs", 5, "how often each command is measured")
	images := flags.String("images", "small,middle,big", "the images, separated by commas; none leaves them out")
	growth := flags.Bool("growth", true, "measure how the cost grows with files and bytes")
	most := flags.Int("most-files", 1_000_000, "with -growth, the most files")
	largest := flags.Int64("largest", 8<<30, "with -growth, the most bytes")
	scratch := flags.String("scratch", "/dev/shm", "a folder on tmpfs for outputs")
	document := flags.String("document", "", "write the results into this document, between its marks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b, err := newBench(*scratch, *runs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.removeScratch()) }()
	stop, err := b.startContainerd(ctx)
	if err != nil {
		return err
	}
	defer stop()

	report := &report{bench: b}
	for name := range strings.SplitSeq(*images, ",") {
		if name == "none" || name == "" {
			continue
		}
		if err := b.compare(ctx, name, report); err != nil {
			return fmt.Errorf("image %q: %w", name, err)
		}
	}
	if err := b.measureStart(ctx, report); err != nil {
		return err
	}
	if *growth {
		if err := b.measureGrowth(ctx, report, *most, *largest); err != nil {
			return err
		}
	}
	text := report.markdown()
	fmt.Print(text)
	if *document != "" {
		return report.into(*document, text)
	}
	return nil
}

func newBench(scratch string, runs int) (*bench, error) {
	out, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return nil, fmt.Errorf("finding the repository: %w", err)
	}
	b := &bench{top: strings.TrimSpace(string(out)), runs: runs}
	b.cache = filepath.Join(b.top, ".cache", "bench")
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return nil, err
	}
	if b.scratch, err = os.MkdirTemp(scratch, "ctr-rootfs-bench"); err != nil {
		return nil, err
	}
	return b, b.findPrograms()
}

// findPrograms puts what was built for the tests and the benchmark on the path.
func (b *bench) findPrograms() error {
	path := []string{filepath.Join(b.top, "bin"), filepath.Join(b.scratch, "bin")}
	for _, tool := range []string{"containerd", "crane", "umoci", "runc"} {
		out, err := exec.Command(filepath.Join(b.top, "integration", "tools", "build"), tool).Output()
		if err != nil {
			return fmt.Errorf("building %s: %w", tool, err)
		}
		path = append(path, strings.TrimSpace(string(out)))
	}
	build := exec.Command("go", "build", "-o", filepath.Join(b.scratch, "bin", "writediff"), "./writediff")
	build.Dir = filepath.Join(b.top, "bench")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building writediff: %w\n%s", err, out)
	}
	floor := filepath.Join(b.scratch, "bin", "floor")
	if out, err := exec.Command("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", floor, filepath.Join(b.top, "bench", "floor", "floor.c")).CombinedOutput(); err != nil {
		return fmt.Errorf("building floor: %w\n%s", err, out)
	}
	// Debian's docker and podman, unpacked and not installed, see peers/fetch.
	out, err := exec.Command(filepath.Join(b.top, "bench", "peers", "fetch")).CombinedOutput()
	if err != nil {
		b.lack("docker and podman", fmt.Errorf("%w: %s", err, out))
	}
	peers := filepath.Join(b.cache, "peers")
	b.env = append(os.Environ(),
		"PATH="+strings.Join(append(path, peers+"/usr/bin", peers+"/usr/sbin", os.Getenv("PATH")), ":"),
		"LD_LIBRARY_PATH="+peers+"/usr/lib/x86_64-linux-gnu",
		"PEERS="+peers, "SCRATCH="+b.scratch, "CACHE="+b.cache,
		// It keeps nothing of its own on this machine.
		fmt.Sprintf("NERDCTL=nerdctl --data-root %[1]s/nerdctl --cni-netconfpath %[1]s --cni-path %[1]s", b.scratch))
	return nil
}

// removeScratch removes the outputs. What is mounted there still, such as
// docker's own, is unmounted first, in this program's mount namespace: a removal
// would go into it.
func (b *bench) removeScratch() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		place := strings.Fields(line)[4] // proc(5): the mount point
		if !strings.HasPrefix(place, b.scratch+"/") {
			continue
		}
		if err := syscall.Unmount(place, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %q: %w", place, err)
		}
	}
	return os.RemoveAll(b.scratch)
}

// lack records what could not be had: the report says it.
func (b *bench) lack(what string, err error) {
	b.missing = append(b.missing, what+": "+strings.TrimSpace(err.Error()))
	fmt.Fprintf(os.Stderr, "missing: %s: %v\n", what, err)
}

// shell runs a line of shell with more variables.
func (b *bench) shell(ctx context.Context, script string, variables ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Env = append(append([]string(nil), b.env...), variables...)
	return cmd
}

// must runs a line of shell that prepares something, and gives what it prints.
func (b *bench) must(ctx context.Context, script string, variables ...string) (string, error) {
	var errOut strings.Builder
	cmd := b.shell(ctx, script, variables...)
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", script, err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

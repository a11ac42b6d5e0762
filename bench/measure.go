package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sample is one run of a command.
type sample struct {
	wall, cpu time.Duration
	peak      int64 // bytes of memory of the largest process
}

// result is all runs of a way.
type result struct {
	way     way
	samples []sample
	size    int64 // of the output; 0 where it goes nowhere
	verdict string
}

func (r *result) walls() []time.Duration {
	var all []time.Duration
	for _, s := range r.samples {
		all = append(all, s.wall)
	}
	slices.Sort(all)
	return all
}

func (r *result) median() time.Duration { return r.walls()[len(r.samples)/2] }

// cpu is the median of the processor time, of all processes that were waited for.
func (r *result) cpu() time.Duration {
	var all []time.Duration
	for _, s := range r.samples {
		all = append(all, s.cpu)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (r *result) peak() int64 {
	var most int64
	for _, s := range r.samples {
		most = max(most, s.peak)
	}
	return most
}

// timed runs a script once.
func (b *bench) timed(ctx context.Context, script string, variables []string) (sample, error) {
	cmd := b.shell(ctx, script, variables...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	begin := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(begin)}
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", script, err, strings.TrimSpace(errOut.String()))
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	s.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	s.peak = usage.Maxrss << 10 // getrusage(2): in kilobytes
	return s, nil
}

// measure runs the ways in turn, once to warm up and then b.runs times, each
// with an output that does not exist.
func (b *bench) measure(ctx context.Context, ways []way, variables []string) ([]*result, error) {
	results := make([]*result, len(ways))
	for i, w := range ways {
		results[i] = &result{way: w}
	}
	out := filepath.Join(b.scratch, "out.tar")
	variables = append(slices.Clone(variables), "OUT="+out)
	for n := range b.runs + 1 {
		for _, r := range results {
			if err := os.Remove(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			s, err := b.timed(ctx, r.way.script, variables)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				continue
			}
			r.samples = append(r.samples, s)
			if info, err := os.Stat(out); err == nil {
				r.size = info.Size()
			}
		}
	}
	return results, os.RemoveAll(out)
}

// compare measures all groups on one image.
func (b *bench) compare(ctx context.Context, name string, report *report) error {
	image, done, err := b.openImage(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	for _, g := range groups {
		ways := b.usable(ctx, g.ways, image)
		verdicts, err := b.check(ctx, &ways, image)
		if err != nil {
			return err
		}
		results, err := b.measure(ctx, ways, image.variables)
		if err != nil {
			return err
		}
		for _, r := range results {
			r.verdict = verdicts[r.way.name]
		}
		report.add(image, g.title, results)
	}
	return nil
}

// usable leaves out what this machine has not.
func (b *bench) usable(ctx context.Context, ways []way, image *image) []way {
	var kept []way
	for _, w := range ways {
		if w.smallOnly && image.name == "big" {
			continue
		}
		if w.needs != "" {
			if _, err := b.must(ctx, "command -v "+w.needs); err != nil {
				b.lackOnce(w.name, errors.New(w.needs+" is not on this machine"))
				continue
			}
		}
		if err := image.loadInto(ctx, b, w.needs); err != nil {
			b.lackOnce(w.name, err)
			continue
		}
		kept = append(kept, w)
	}
	return kept
}

func (b *bench) lackOnce(what string, err error) {
	for _, m := range b.missing {
		if strings.HasPrefix(m, what+":") {
			return
		}
	}
	b.lack(what, err)
}

// check runs each way that writes a tar once, and compares its tree with
// ctr-rootfs's, which the project's tests compare with the layers. What fails
// is left out of ways.
func (b *bench) check(ctx context.Context, ways *[]way, image *image) (map[string]string, error) {
	verdicts := make(map[string]string)
	var kept []way
	for _, w := range *ways {
		if !w.tar {
			kept = append(kept, w)
			continue
		}
		out := filepath.Join(b.scratch, "check.tar")
		_, err := b.timed(ctx, w.script, append(slices.Clone(image.variables), "OUT="+out))
		if err != nil {
			b.lackOnce(w.name, err)
			continue
		}
		line, err := b.must(ctx, "$SELF verdict $WHOLE "+out, append(slices.Clone(image.variables), "SELF="+os.Args[0])...)
		if err != nil {
			return nil, err
		}
		names, verdict, _ := strings.Cut(line, " ")
		if image.files, err = strconv.Atoi(names); err != nil {
			return nil, err
		}
		verdicts[w.name] = verdict
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", image.name, w.name, verdicts[w.name])
		kept = append(kept, w)
		if err := os.Remove(out); err != nil {
			return nil, err
		}
	}
	*ways = kept
	return verdicts, nil
}

// loadAverage says how busy the machine is.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func version(ctx context.Context, b *bench, script string) string {
	out, err := b.must(ctx, script)
	if err != nil || out == "" {
		return ""
	}
	return strings.SplitN(out, "\n", 2)[0]
}

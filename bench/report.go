package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The results stand in the document between these.
const (
	beginMark = "<!-- bench: begin -->"
	endMark   = "<!-- bench: end -->"
)

// report collects results in the order in which they are shown.
type report struct {
	bench  *bench
	tables strings.Builder
	start  []*result
	files  []point
	bytes  []point
}

func (r *report) add(i *image, title string, results []*result) {
	var size int64
	if info, err := os.Stat(i.whole); err == nil {
		size = info.Size()
	}
	fmt.Fprintf(&r.tables, "\n### %s: %d names, %s, %s\n\n", i.name, i.files, bytes(size), title)
	r.table(results)
}

// table compares each way with the first.
func (r *report) table(results []*result) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(&r.tables, "| | median | least | of the first | processor | peak memory | output | tree |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, w := range results {
		size := ""
		if w.size > 0 {
			size = bytes(w.size)
		}
		fmt.Fprintf(&r.tables, "| %s | %s | %s | %.2f | %s | %s | %s | %s |\n", w.way.name, seconds(w.median()), seconds(w.walls()[0]),
			float64(w.median())/float64(results[0].median()), seconds(w.cpu()), bytes(w.peak()), size, w.verdict)
	}
}

// markdown gives all results; it is called once.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", r.machine())
	b.WriteString(r.tables.String())
	if len(r.start) > 0 {
		r.tables.Reset()
		r.tables.WriteString("\n### Ten files: starting, asking containerd, mounting\n\n")
		r.table(r.start)
		b.WriteString(r.tables.String())
	}
	r.growth(&b, "files of 1,000 bytes", r.files)
	r.growth(&b, "bytes, in files of up to 256 MiB", r.bytes)
	if len(r.files)+len(r.bytes) > 0 {
		b.WriteString("\n![How the time grows](performance.svg)\n")
	}
	if len(r.bench.missing) > 0 {
		b.WriteString("\nNot measured:\n\n")
		for _, m := range r.bench.missing {
			fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(m, "\n", " "))
		}
	}
	return b.String()
}

func (r *report) growth(b *strings.Builder, what string, row []point) {
	if len(row) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### Growth: %s, through a pipe\n\n| |", what)
	for _, w := range row[0].results {
		fmt.Fprintf(b, " %s | peak memory |", w.way.name)
	}
	b.WriteString("\n| ---: |" + strings.Repeat(" ---: | ---: |", len(row[0].results)) + "\n")
	for _, p := range row {
		fmt.Fprintf(b, "| %.0f |", p.x)
		for _, w := range p.results {
			fmt.Fprintf(b, " %s | %s |", seconds(w.median()), bytes(w.peak()))
		}
		b.WriteString("\n")
	}
}

// machine says where and with which versions the figures came to be.
func (r *report) machine() string {
	ctx := context.Background()
	ask := func(script string) string { return version(ctx, r.bench, script) }
	versions := []string{"containerd " + ask("containerd --version | cut -d' ' -f3")}
	for _, script := range []string{"tar --version", "bsdtar --version", "docker --version", "podman --version", "nerdctl --version",
		"umoci --version", "zstd --version", "pigz --version 2>&1"} {
		if line := ask(script); line != "" {
			versions = append(versions, line)
		}
	}
	return fmt.Sprintf("%s: %s, %d cores, Linux %s, %s. Load before the last run: %s. %d runs of each, in turn, after one to warm up.\n%s.\n",
		time.Now().Format("2006-01-02"), ask("sed -n 's/^model name.*: //p' /proc/cpuinfo"), runtime.NumCPU(), ask("uname -r"),
		ask("awk '/MemTotal/ {printf \"%.0f GB\", $2/1e6}' /proc/meminfo"), loadAverage(), r.bench.runs, strings.Join(versions, "; "))
}

// into puts the results, as markdown gave them, into a document, and the plot
// beside it.
func (r *report) into(name, results string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return fmt.Errorf("writing results into %q: it has no %s and %s", name, beginMark, endMark)
	}
	if err := os.WriteFile(name, []byte(before+beginMark+"\n"+results+"\n"+endMark+after), 0o644); err != nil {
		return err
	}
	if len(r.files)+len(r.bytes) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(filepath.Dir(name), "performance.svg"), []byte(plot(r.files, r.bytes)), 0o644)
}

func seconds(d time.Duration) string {
	if d < 200*time.Millisecond {
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func bytes(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

package progress

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

func TestProgressJSON(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	if err := p.Choose("json"); err != nil {
		t.Fatal(err)
	}
	p.Step(snapshot.Step{Stage: "pulling", Unit: "bytes", Done: 1, Total: 3})
	p.Step(snapshot.Step{Stage: "pulling", Unit: "bytes", Done: 3, Total: 3})
	p.Notice("a notice")
	p.Warn("a warning")
	p.Step(snapshot.Step{Stage: "unpacking", Unit: "layers", Done: 0, Total: 2})
	p.Done()
	stages := map[string]int64{}
	messages := map[string]string{}
	for line := range strings.Lines(out.String()) {
		var l progressLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if l.Message != "" {
			messages[l.Message] = l.Level
		} else {
			stages[l.Stage] = *l.Done
		}
	}
	if stages["pulling"] != 3 || len(stages) != 2 {
		t.Errorf("in the end %v:\n%s", stages, out.String())
	}
	if want := map[string]string{"a notice": "", "a warning": "warning"}; !maps.Equal(messages, want) {
		t.Errorf("the messages have the levels %v, want %v", messages, want)
	}
}

// TestMessages: a warning is shown in every mode, a notice in all but quiet.
func TestMessages(t *testing.T) {
	const notice, warning = "ctr-rootfs: a notice\n", "ctr-rootfs: a warning\n"
	for mode, want := range map[string]string{
		"quiet": warning, "plain": notice + warning, "auto": notice + warning,
		"json": `{"message":"a notice"}` + "\n" + `{"message":"a warning","level":"warning"}` + "\n",
	} {
		var out bytes.Buffer
		p := New(&out)
		if err := p.Choose(mode); err != nil {
			t.Fatal(err)
		}
		if mode == "quiet" {
			p.Step(snapshot.Step{Stage: "pulling"})
		}
		p.Notice("a notice")
		p.Warn("a warning")
		p.Done()
		if out.String() != want {
			t.Errorf("%s tells %q, want %q", mode, out.String(), want)
		}
	}
}

func TestProgressUnknown(t *testing.T) {
	if err := New(&bytes.Buffer{}).Choose("loud"); err == nil {
		t.Error("Choose took it")
	}
}

// TestBarGoes shows that a bar leaves what is told beside it, and no error
// when more is done than was expected.
func TestBarGoes(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, snapshot.Step{Stage: "exporting", Unit: "bytes", Total: 10})
	for done := range int64(20) {
		b.update(snapshot.Step{Stage: "exporting", Unit: "bytes", Done: done, Total: 10})
	}
	b.above("a notice")
	b.end()
	if !strings.Contains(out.String(), "a notice\n") {
		t.Errorf("the notice is not in %q", out.String())
	}
}

func TestPlainStep(t *testing.T) {
	for _, c := range []struct {
		step snapshot.Step
		took time.Duration
		want string
	}{
		{snapshot.Step{Stage: "pulling", Unit: "bytes", Done: 50e6, Total: 200e6}, 5 * time.Second, "ctr-rootfs: pulling: 50.0 MB of 200.0 MB (25 %), 10.0 MB/s, 15s left"},
		{snapshot.Step{Stage: "exporting", Unit: "bytes", Done: 50e6}, 5 * time.Second, "ctr-rootfs: exporting: 50.0 MB, 10.0 MB/s"},
		{snapshot.Step{Stage: "unpacking", Unit: "layers", Done: 1, Total: 4}, 2 * time.Second, "ctr-rootfs: unpacking: 1 of 4 layers (25 %), 6s left"},
	} {
		if got := plainStep(c.step, c.took); got != c.want {
			t.Errorf("plainStep(%+v) = %q, want %q", c.step, got, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_700_000: "1.7 MB", 9_663_676_416: "9.7 GB"} {
		if got := Size(bytes); got != want {
			t.Errorf("Size(%d) = %q, want %q", bytes, got, want)
		}
	}
}

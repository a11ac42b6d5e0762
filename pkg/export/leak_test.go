package export_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where a test leaves a goroutine behind. pgzip's own stays where
// its writer failed, which the writer's Close does not end (v1.3.0).
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/klauspost/pgzip.(*Writer).Write.func1"))
}

// Package tools finds the real daemons, runtimes and linters that tests drive.
// Each is a small module of its own in a folder beside this file, at the
// version that its go.mod names; the script build makes it on first use.
package tools

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Dir gives the folder that holds the programs of the tool module name
// ("containerd", "containerd-1.7", "runc", ...), and builds them where this is
// the first call on the machine: that takes about a minute.
func Dir(ctx context.Context, name string) (string, error) {
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "tools", "build"), name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("building tool %q: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Root gives the folder of the integration module, from anywhere inside it.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the integration module: %w", err)
	}
	return filepath.Dir(string(bytes.TrimSpace(out))), nil
}

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
)

// version and commit are set at build time (make build); a binary from "go
// install" knows its module's version, and one from "go build" its commit.
var version, commit string

// versionInfo is what version --json prints.
type versionInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Commit is empty where the binary was built outside of a repository.
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(s streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  ctr-rootfs version
  ctr-rootfs version --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, out := ownInfo(), files.Stdout(cmd.Context(), s.out)
			if asJSON {
				return json.NewEncoder(out).Encode(info)
			}
			_, err := fmt.Fprintf(out, "%s %s %s %s\n", info.Name, info.Version, info.Go, info.Platform)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object, with the commit")
	return cmd
}

func ownInfo() versionInfo {
	info := versionInfo{
		Name: "ctr-rootfs", Version: ownVersion(),
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	built, ok := debug.ReadBuildInfo()
	if info.Commit = commit; commit != "" || !ok {
		return info
	}
	for _, setting := range built.Settings {
		switch {
		case setting.Key == "vcs.revision":
			info.Commit = setting.Value + info.Commit
		case setting.Key == "vcs.modified" && setting.Value == "true":
			info.Commit += "-dirty"
		}
	}
	return info
}

func ownVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

package snapshot

import (
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// mapOwners notes the user namespace that a snapshot's labels name, if any.
func (v *View) mapOwners(labels map[string]string) (err error) {
	uids, gids := labels[snapshots.LabelSnapshotUIDMapping], labels[snapshots.LabelSnapshotGIDMapping]
	if uids == "" && gids == "" {
		return nil
	}
	if v.UIDs, err = parseIDMaps(uids); err != nil {
		return err
	}
	v.GIDs, err = parseIDMaps(gids)
	return err
}

// parseIDMaps reads "INSIDE:OUTSIDE:SIZE,...", as snapshotters are told of a
// user namespace.
func parseIDMaps(text string) ([]rspec.LinuxIDMapping, error) {
	var maps []rspec.LinuxIDMapping
	for part := range strings.SplitSeq(text, ",") {
		var m rspec.LinuxIDMapping
		if n, err := fmt.Sscanf(part+"\n", "%d:%d:%d\n", &m.ContainerID, &m.HostID, &m.Size); n != 3 || err != nil {
			return nil, fmt.Errorf("parsing id mapping %q: it is INSIDE:OUTSIDE:SIZE", part)
		}
		maps = append(maps, m)
	}
	return maps, nil
}

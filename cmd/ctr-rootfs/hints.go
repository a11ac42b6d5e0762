package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// explain adds to an error what to do about it, where that is known.
func explain(err error) string {
	if hint := hintFor(err); hint != "" {
		return err.Error() + ": " + hint
	}
	return err.Error()
}

// hintFor gives the hint of the first kind of error in the table that err holds,
// which may be none.
func hintFor(err error) string {
	for _, hint := range hintTable() {
		if text, is := hint(err); is {
			return text
		}
	}
	return ""
}

func hintTable() []func(error) (string, bool) {
	return []func(error) (string, bool){
		always[*snapshot.UndoError]("remove it with ctr-rootfs gc when the store answers again"),
		hintOf(fetchHint),
		hintOf(otherListHint), // whatever its cause is: the other list has none
		hintOf(sourceHint),
		always[*snapshot.PropagationError]("in a pod, mount the directory with mountPropagation: HostToContainer"),
		always[*snapshot.MountDeniedError]("it needs CAP_SYS_ADMIN (and in a pod AppArmor Unconfined), or containerd 2.2 or newer, or --via layers"),
		hintOf(socketHint),
		hintOf(func(e *snapshot.NamespaceError) string { return "use --namespace " + e.Others[0] }),
		hintOf(platformHint),
		hintOf(incompleteHint),
		hintOf(nameHint),
		hintOf(featureHint),
		always[*snapshot.ArtifactError]("is the name right? Only an image has a root filesystem"),
		always[*snapshot.MissingError]("leave out --pull never to pull it"),
		always[*snapshot.DiscardedError]("use --via view where the image is unpacked, or --pull always to pull them again"),
		always[*snapshot.SpoolError]("choose a folder with room by --spool DIR"),
		always[*layers.SpoolError]("choose a folder with room by --spool DIR"),
		hintOf(limitHint),
		archiveLimitHint,
		hintOf(layerTypeHint),
		always[*snapshot.LayerContentError]("the image has to be built again, with tars as its layers"),
		hintOf(filesystemHint),
		hintOf(contentHint),
		hintOf(unpackHint),
		always[*snapshot.ReferenceError]("name one of them behind the path, as PATH:NAME"),
		always[*snapshot.SnapshotterError]("choose one of them with --snapshotter"),
		hintOf(storeHint),
		hintOf(pullHint),
		hintOf(archiveHint),
		hintOf(absentHint),
		hintOf(ambiguousHint),
		always[*snapshot.ShiftedError]("export the container while it runs, as container:ID"),
		always[*changedError]("hold it still with --pause, or say --allow-changes"),
		hintOf(fieldHint),
		hintOf(imageHint),
		always[*recordError]("use --config FILE"),
		hintOf(placeHint),
		hintOf(func(e *export.HeaderError) string {
			return fmt.Sprintf("leave them out with --xattrs none, or the file with --exclude %q", e.Path)
		}),
		hintOf(ownerHint),
		hintOf(hungHint),
		hintOf(readHint),
		hintOf(sentinelHint),
	}
}

// hintOf makes a row of the table for the errors of type E.
func hintOf[E error](hint func(E) string) func(error) (string, bool) {
	return func(err error) (string, bool) {
		var e E
		if !errors.As(err, &e) {
			return "", false
		}
		return hint(e), true
	}
}

// always is hintOf where the hint is the same for all of them.
func always[E error](text string) func(error) (string, bool) {
	return hintOf(func(E) string { return text })
}

// sentinelHint is for errors that are values; any error has its turn here.
func sentinelHint(err error) string {
	switch {
	case errors.Is(err, ocispec.ErrNoArgs), errors.Is(err, ocispec.ErrEmptyCommand):
		return commandHint
	case errors.Is(err, snapshot.ErrNoRoot):
		return "export the container while it runs"
	case errors.Is(err, ocispec.ErrRelativeWorkingDir):
		return cwdHint
	case errors.Is(err, snapshot.ErrNoHome):
		return "name a folder with --store DIR, or set $HOME"
	case errors.Is(err, files.ErrTerminal):
		return "use -o FILE, or a pipe"
	case errors.Is(err, files.ErrDirectory):
		return "name a file in it, or use --format dir"
	case errors.Is(err, files.ErrNoDirectory):
		return "make it first"
	}
	return ""
}

// What export.Made is made for.
const (
	forProfile = "--profile moby"
	forReplace = "--replace"
	forMount   = "a mount of config.json"
	forVolume  = "a volume of the image"
	forCwd     = "the working directory"
)

// commandHint and cwdHint are for a command and a working directory of an image that
// cannot be.
const (
	commandHint = "give the command behind --, as in: -- /bin/sh"
	cwdHint     = "choose another with --cwd DIR"
)

func placeHint(e *export.PlaceError) string {
	switch e.For {
	case forProfile:
		return fmt.Sprintf("use --keep %s, or --profile none", e.At)
	case forReplace:
		return fmt.Sprintf("leave that out with --exclude %s, or replace another path", e.At)
	case forMount:
		return fmt.Sprintf("leave that out with --exclude %s, or mount elsewhere", e.At)
	case forVolume:
		return "leave the volumes out with --volumes none"
	case forCwd:
		return cwdHint
	}
	return ""
}

func ownerHint(e *export.OwnerError) string {
	if errors.Is(e, fs.ErrPermission) {
		return "an ordinary user needs --no-same-owner"
	}
	return ""
}

// readHint knows who may read the files of others.
func readHint(e *export.ReadError) string {
	if errors.Is(e, fs.ErrPermission) {
		return "it needs root, or CAP_DAC_READ_SEARCH"
	}
	return ""
}

// hungHint knows that a file system is at fault, unless it is a pipe or a disk.
func hungHint(e *hostfile.HungError) string {
	if len(e.Calls) > 0 && e.Calls[0].FileSystem != "" {
		return "see to the server or the process behind that file system, or unmount it by force"
	}
	return ""
}

// fetchHint knows which file systems have their files from elsewhere.
func fetchHint(e *fetchError) string {
	switch {
	case e.FileSystem != "" && e.Snapshotter != "":
		return fmt.Sprintf("snapshotter %q has it on %s, which fetches files: see to its process, its log and the registry", e.Snapshotter, e.FileSystem)
	case e.FileSystem != "":
		return fmt.Sprintf("it lies on %s, which fetches files: see to the server or the process behind it", e.FileSystem)
	}
	return "its file system has lost the server or the process behind it: mount it again"
}

// sourceHint knows what a container does not see of its host.
func sourceHint(e *snapshot.SourceError) string {
	switch {
	case errors.Is(e, snapshot.ErrNotTaskRoot):
		return "in a pod, add hostPID: true and CAP_SYS_PTRACE; where what started the container has mounts of its own, use --host-root /proc/PID/root"
	case errors.Is(e, snapshot.ErrNothingThere), errors.Is(e, snapshot.ErrLinkedRoot):
		return "export the container while it runs"
	case errors.Is(e, fs.ErrPermission):
		return "it needs root, or CAP_DAC_READ_SEARCH"
	case errors.Is(e, syscall.ENOSYS):
		return "it needs Linux 5.6, as every path below --host-root does"
	case errors.Is(e, fs.ErrNotExist):
		return "in a container, mount the host's directory at the same place, or its root elsewhere and name that with --host-root"
	}
	return ""
}

func pullHint(e *snapshot.PullError) string {
	switch e.Reason() {
	case snapshot.PullDenied:
		return "log in with --creds USER or docker login; a name that does not exist is refused like this, too"
	case snapshot.PullAbsent:
		return "are name and tag right?"
	case snapshot.PullBroken, snapshot.PullCut:
		return "try again later"
	case snapshot.PullLimited:
		return "try again later; a registry may allow more to who logs in with --creds USER"
	case snapshot.PullUnreachable:
		return "is the registry's name right? A mirror is set in hosts.toml, see --hosts-dir"
	case snapshot.PullPlainHTTP:
		return "use --plain-http"
	case snapshot.PullUntrusted:
		return "name its authority as ca in hosts.toml, see --hosts-dir, or use --skip-verify"
	case snapshot.PullDamaged:
		return "try again; a proxy or a mirror may have damaged it"
	case snapshot.PullIncomplete:
		return "it has to be pushed again"
	case snapshot.PullForeign:
		return "is the name right? A registry may hold other things than images, and a proxy may answer with a page of its own"
	case snapshot.PullSchema1:
		return "an image that old has to be pushed again by a newer docker; plain text may be a proxy's"
	}
	if errors.Is(e, snapshot.ErrRegistryToken) {
		return "log in again with docker login, or with --creds USER"
	}
	return ""
}

func socketHint(e *snapshot.SocketError) string {
	switch {
	case e.Elsewhere != "":
		return fmt.Sprintf("another containerd listens: use --address %s, or --store DIR for none", e.Elsewhere)
	case errors.Is(e, snapshot.ErrNotSocket):
		return "name the path of containerd's socket with --address, or use --store DIR for no daemon"
	case errors.Is(e, fs.ErrPermission):
		return "the socket belongs to root: run as root, or use --store DIR for no daemon"
	case errors.Is(e, fs.ErrNotExist):
		return "start containerd, name its socket with --address, or use --store DIR for no daemon"
	case errors.Is(e, syscall.ECONNREFUSED):
		return "no containerd runs there any more: start it, or use --store DIR for no daemon"
	}
	return "is containerd well? Use --store DIR for no daemon"
}

func storeHint(e *snapshot.StoreError) string {
	switch {
	case errors.Is(e, snapshot.ErrNotPrivate):
		return fmt.Sprintf("make it private (chmod 700 %s), or choose another folder with --store DIR", e.Dir)
	case errors.Is(e, fs.ErrPermission), errors.Is(e, syscall.ENOTDIR), errors.Is(e, syscall.EROFS):
		return "choose another folder with --store DIR"
	}
	return ""
}

func limitHint(e *layers.LimitError) string {
	switch e.Of {
	case layers.LimitEntries, layers.LimitMetadata: // the one grows with the other
		return "if the image is to be trusted, raise it by --max-entries"
	case layers.LimitBytes:
		return "if the image is to be trusted, raise it by --max-bytes"
	}
	return ""
}

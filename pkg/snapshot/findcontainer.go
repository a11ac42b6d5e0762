package snapshot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
)

// container finds the container that src names.
func (s *Store) container(ctx context.Context, sess *session, src Source) (containers.Container, error) {
	find := s.containersByID
	if src.Kind == PodName {
		find = containersOfPod
	}
	found, err := find(ctx, sess, src.Name)
	if err != nil {
		return containers.Container{}, err
	}
	if len(found) == 0 {
		absent := &AbsentError{Kind: src.Kind, Name: src.Name, Namespace: s.opts.Namespace, Embedded: s.opts.Location.Dir}
		absent.Namespaces, err = s.otherNamespaces(ctx, sess, func(ctx context.Context) (bool, error) {
			found, err := find(ctx, sess, src.Name)
			return len(found) > 0, err
		})
		if err == nil && src.Kind == ContainerID {
			absent.Docker, err = dockersNamespace(ctx, sess)
		}
		if err != nil {
			return containers.Container{}, err
		}
		return containers.Container{}, absent
	}
	if src.Kind == PodName {
		return onlyOfPod(ctx, sess, src, found)
	}
	if len(found) > 1 {
		ambiguous := &AmbiguousError{Kind: src.Kind, Name: src.Name}
		for _, c := range found {
			ambiguous.Have = append(ambiguous.Have, c.ID)
		}
		slices.Sort(ambiguous.Have)
		return containers.Container{}, ambiguous
	}
	return found[0], nil
}

// dockersNamespace gives the namespace of docker's containers, empty where there is
// none. Docker adds the owner of a user namespace to it: "moby-100000.100000".
func dockersNamespace(ctx context.Context, sess *session) (string, error) {
	all, err := sess.client.NamespaceService().List(ctx)
	if err != nil {
		return "", fmt.Errorf("listing namespaces: %w", err)
	}
	at := slices.IndexFunc(all, func(name string) bool { return name == "moby" || strings.HasPrefix(name, "moby-") })
	if at < 0 {
		return "", nil
	}
	return all[at], nil
}

// labelNerdctlName is where nerdctl keeps a container's name.
const labelNerdctlName = "nerdctl/name"

// longID is an id as nerdctl, docker and Kubernetes make them, and shortID its
// beginning. The ids of others are names, of which one may begin with another.
var (
	longID  = regexp.MustCompile("^[0-9a-f]{64}$")
	shortID = regexp.MustCompile("^[0-9a-f]{1,64}$")
)

// containersByID finds the container of that id, else those of that name of
// nerdctl's, else those whose long hexadecimal ids begin with it. Of docker's names
// containerd knows nothing.
func (s *Store) containersByID(ctx context.Context, sess *session, id string) ([]containers.Container, error) {
	store := sess.client.ContainerService()
	c, err := store.Get(ctx, id)
	if err == nil {
		return []containers.Container{c}, nil
	}
	// An id that no container can have is refused, not missing.
	if !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err) {
		return nil, fmt.Errorf("finding container %q: %w", id, err)
	}
	found, err := store.List(ctx, fmt.Sprintf("labels.%q==%q", labelNerdctlName, id))
	if err == nil && len(found) == 0 && shortID.MatchString(id) {
		if found, err = store.List(ctx, "id~="+strconv.Quote(beginsWith(id))); err == nil {
			return s.withUnrecorded(ctx, sess, found, id)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	return found, nil
}

func beginsWith(id string) string { return fmt.Sprintf("^%s[0-9a-f]{%d}$", id, 64-len(id)) }

// withUnrecorded adds the containers that are known by their snapshots alone: docker
// removes the record of one that stops, and its snapshot stays, with its id as key. One
// snapshotter that cannot be asked, as its process is not there, does not hide what is
// found elsewhere.
func (s *Store) withUnrecorded(ctx context.Context, sess *session, found []containers.Container, id string) ([]containers.Container, error) {
	have, err := s.preferredFirst(ctx, sess)
	if err != nil {
		return nil, err
	}
	var unasked error
	for _, snapshotter := range have {
		err := sess.client.SnapshotService(snapshotter).Walk(ctx, func(_ context.Context, info snapshots.Info) error {
			if !slices.ContainsFunc(found, func(c containers.Container) bool { return c.ID == info.Name }) {
				found = append(found, containers.Container{ID: info.Name, SnapshotKey: info.Name, Snapshotter: snapshotter})
			}
			return nil
		}, "kind==active,name~="+strconv.Quote(beginsWith(id)))
		if err != nil {
			unasked = errors.Join(unasked, fmt.Errorf("listing the snapshots of snapshotter %q: %w", snapshotter, err))
		}
	}
	if unasked == nil || len(found) == 0 || ended(ctx, unasked) {
		return found, unasked
	}
	s.opts.Warn(fmt.Sprintf("other containers whose ids begin with %q may be unknown: %v", id, unasked))
	return found, nil
}

// withSnapshot fills in the snapshot of a container whose record names none, if the
// container's id is the key of one.
func (s *Store) withSnapshot(ctx context.Context, sess *session, c containers.Container) (containers.Container, error) {
	if !longID.MatchString(c.ID) {
		return c, nil
	}
	have, err := s.preferredFirst(ctx, sess)
	if err != nil {
		return c, err
	}
	for _, snapshotter := range have {
		info, err := sess.client.SnapshotService(snapshotter).Stat(ctx, c.ID)
		if err == nil && info.Kind == snapshots.KindActive {
			c.SnapshotKey, c.Snapshotter = c.ID, snapshotter
			return c, nil
		}
		if ignoreNotFound(err) != nil {
			return c, fmt.Errorf("finding snapshot %q: %w", c.ID, err)
		}
	}
	return c, nil
}

// preferredFirst lists the store's snapshotters, the one in force first.
func (s *Store) preferredFirst(ctx context.Context, sess *session) ([]string, error) {
	have, err := snapshotters(ctx, sess)
	if err != nil {
		return nil, err
	}
	first, err := s.snapshotter(ctx, sess)
	var unknown *SnapshotterError
	if err != nil && !errors.As(err, &unknown) {
		return nil, err
	}
	if at := slices.Index(have, first); at > 0 {
		have = slices.Insert(slices.Delete(have, at, at+1), 0, first)
	}
	return have, nil
}

// Labels that the kubelet sets on containers, and the one by which containerd
// tells them from the sandbox of their pod.
const (
	labelPodName       = "io.kubernetes.pod.name"
	labelPodNamespace  = "io.kubernetes.pod.namespace"
	labelContainerName = "io.kubernetes.container.name"
	labelKind          = "io.cri-containerd.kind"
)

// podContainer names a container of a pod; what is empty was not given.
type podContainer struct{ namespace, pod, name string }

func (p podContainer) String() string {
	return p.namespace + "/" + p.pod + "/" + p.name
}

// podReadings gives what "[NAMESPACE/]POD[/CONTAINER]" may mean: with one
// slash there are two ways to read it.
func podReadings(text string) []podContainer {
	parts := strings.Split(text, "/")
	if slices.Contains(parts, "") {
		return nil
	}
	switch len(parts) {
	case 1:
		return []podContainer{{pod: parts[0]}}
	case 2:
		return []podContainer{{namespace: parts[0], pod: parts[1]}, {pod: parts[0], name: parts[1]}}
	case 3:
		return []podContainer{{parts[0], parts[1], parts[2]}}
	}
	return nil
}

// names says whether p, read off a command line, may stand for c.
func (p podContainer) names(c podContainer) bool {
	return p.pod == c.pod && (p.namespace == "" || p.namespace == c.namespace) && (p.name == "" || p.name == c.name)
}

// ofPod reads a container's labels.
func ofPod(c containers.Container) podContainer {
	return podContainer{c.Labels[labelPodNamespace], c.Labels[labelPodName], c.Labels[labelContainerName]}
}

// containersOfPod finds the containers, not the sandboxes, that text may stand
// for.
func containersOfPod(ctx context.Context, sess *session, text string) ([]containers.Container, error) {
	all, err := sess.client.ContainerService().List(ctx, fmt.Sprintf("labels.%q==container", labelKind))
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	readings := podReadings(text)
	return slices.DeleteFunc(all, func(c containers.Container) bool {
		return !slices.ContainsFunc(readings, func(p podContainer) bool { return p.names(ofPod(c)) })
	}), nil
}

// onlyOfPod chooses among containers of one name, which are the restarts of
// one: the running one, else the newest.
func onlyOfPod(ctx context.Context, sess *session, src Source, found []containers.Container) (containers.Container, error) {
	var names []string
	for _, c := range found {
		names = append(names, ofPod(c).String())
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > 1 {
		return containers.Container{}, &AmbiguousError{Kind: src.Kind, Name: src.Name, Have: names}
	}
	resp, err := sess.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return containers.Container{}, fmt.Errorf("listing tasks: %w", err)
	}
	running := make(map[string]bool)
	for _, task := range resp.Tasks {
		running[task.ID] = task.Status == tasktypes.Status_RUNNING || task.Status == tasktypes.Status_PAUSED
	}
	return slices.MaxFunc(found, func(a, b containers.Container) int {
		if running[a.ID] != running[b.ID] {
			if running[a.ID] {
				return 1
			}
			return -1
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	}), nil
}

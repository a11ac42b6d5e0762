package snapshot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
)

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

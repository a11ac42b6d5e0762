package integration_test

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// manifests are those of deploy/kubernetes that can be applied as they are,
// with the capabilities that each adds.
var manifests = map[string][]corev1.Capability{
	"job":                         {"SYS_ADMIN", "DAC_READ_SEARCH"},
	"job-to-stdout":               {"SYS_ADMIN", "DAC_READ_SEARCH"},
	"job-without-sys-admin":       {"DAC_READ_SEARCH"},
	"daemonset":                   {"SYS_ADMIN", "DAC_READ_SEARCH"},
	"daemonset-without-sys-admin": {"DAC_READ_SEARCH"},
}

// deployment is what a kustomization makes, read strictly.
type deployment struct {
	namespace *corev1.Namespace
	policy    *networkingv1.NetworkPolicy
	// pod is that of the Job or the DaemonSet.
	pod *corev1.PodSpec
}

// exporter is the container that exports.
func (d deployment) exporter() *corev1.Container {
	if len(d.pod.InitContainers) > 0 {
		return &d.pod.InitContainers[0]
	}
	return &d.pod.Containers[0]
}

// kustomized renders a kustomization of deploy/kubernetes.
func kustomized(t *testing.T, name string) []byte {
	t.Helper()
	bin, err := tools.Dir(context.Background(), "kustomize")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(command(t, nil, filepath.Join(bin, "kustomize"), "build", filepath.Join("..", "deploy", "kubernetes", name)))
}

// readManifests reads what kustomize gave; a field that Kubernetes does not
// know fails the test.
func readManifests(t *testing.T, text []byte) (d deployment) {
	t.Helper()
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal(document, &meta); err != nil {
			t.Fatal(err)
		}
		var into any
		job, set := &batchv1.Job{}, &appsv1.DaemonSet{}
		switch meta.Kind {
		case "Namespace":
			d.namespace = &corev1.Namespace{}
			into = d.namespace
		case "NetworkPolicy":
			d.policy = &networkingv1.NetworkPolicy{}
			into = d.policy
		case "Job":
			into, d.pod = job, &job.Spec.Template.Spec
		case "DaemonSet":
			into, d.pod = set, &set.Spec.Template.Spec
		default:
			t.Fatalf("there is a %s", meta.Kind)
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Fatalf("reading a %s: %v", meta.Kind, err)
		}
	}
	return d
}

// TestManifests holds what deploy/kubernetes promises: the least rights, and a
// guard for each trap that a pod's view of a node has.
func TestManifests(t *testing.T) {
	for name, capabilities := range manifests {
		t.Run(name, func(t *testing.T) {
			d := readManifests(t, kustomized(t, name))
			if d.namespace.Labels["pod-security.kubernetes.io/enforce"] != "privileged" {
				t.Errorf("the namespace has the labels %v", d.namespace.Labels)
			}
			policy := d.policy.Spec
			if len(policy.Ingress)+len(policy.Egress) != 0 || len(policy.PolicyTypes) != 2 || len(policy.PodSelector.MatchLabels) != 0 {
				t.Errorf("the network policy is %+v", policy)
			}
			if d.pod.HostNetwork || d.pod.HostPID || d.pod.HostIPC || d.pod.AutomountServiceAccountToken == nil || *d.pod.AutomountServiceAccountToken {
				t.Errorf("the pod shares more than it needs: %+v", d.pod)
			}
			if got := d.exporter().SecurityContext.Capabilities.Add; !slices.Equal(got, capabilities) {
				t.Errorf("it adds the capabilities %q, want %q", got, capabilities)
			}
			mayMount := slices.Contains(capabilities, "SYS_ADMIN")
			if unconfined := d.exporter().SecurityContext.AppArmorProfile != nil; unconfined != mayMount {
				t.Errorf("without AppArmor: %t, may mount: %t", unconfined, mayMount)
			}
			for _, c := range slices.Concat(d.pod.InitContainers, d.pod.Containers) {
				checkContainer(t, c)
			}
			checkHostPaths(t, d)
		})
	}
}

func checkContainer(t *testing.T, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || s.Privileged != nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("container %s has the security context %+v", c.Name, s)
	}
	if s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("container %s has the seccomp profile %q", c.Name, s.SeccompProfile.Type)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Errorf("container %s has the resources %+v", c.Name, c.Resources)
	}
}

// checkHostPaths wants nothing of the node writable but where exports go, the
// socket's directory instead of the socket, and mounts that the node makes
// later to be seen.
func checkHostPaths(t *testing.T, d deployment) {
	t.Helper()
	paths := map[string]string{}
	for _, v := range d.pod.Volumes {
		paths[v.Name] = v.HostPath.Path
		if *v.HostPath.Type == corev1.HostPathSocket || strings.HasSuffix(v.HostPath.Path, ".sock") {
			t.Errorf("volume %s is the socket itself, which goes dead when containerd restarts", v.Name)
		}
	}
	for _, m := range d.exporter().VolumeMounts {
		if m.Name == "exports" {
			continue
		}
		if !m.ReadOnly || m.MountPath != paths[m.Name] {
			t.Errorf("%s of the node is mounted at %s, read-only: %t", paths[m.Name], m.MountPath, m.ReadOnly)
		}
		if m.Name == "containerd" && (m.MountPropagation == nil || *m.MountPropagation != corev1.MountPropagationHostToContainer) {
			t.Errorf("mounts below %s do not propagate to the pod", m.MountPath)
		}
	}
}

// Package kubernetes applies deploy/kubernetes to a real Kubernetes of one
// node: etcd, apiserver, controller-manager, scheduler, kubelet and containerd,
// started by the test in mount and process namespaces of their own, so that
// they use the paths of a real node and nothing of them outlives the test.
package kubernetes

module github.com/ctr-rootfs/ctr-rootfs

go 1.26.6

require (
	github.com/containerd/errdefs v1.0.0
	github.com/distribution/reference v0.6.0
)

require (
	github.com/containerd/containerd/v2 v2.4.2 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/klauspost/pgzip v1.3.0 // indirect
	github.com/moby/patternmatcher v0.6.1 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/opencontainers/runtime-spec v1.3.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

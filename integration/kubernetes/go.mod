module github.com/ctr-rootfs/ctr-rootfs/integration/kubernetes

go 1.26.6

require (
	github.com/ctr-rootfs/ctr-rootfs/integration v0.0.0
	github.com/opencontainers/image-spec v1.1.1
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
)

replace (
	github.com/ctr-rootfs/ctr-rootfs => ../../
	github.com/ctr-rootfs/ctr-rootfs/integration => ../
)

module github.com/ctr-rootfs/ctr-rootfs/integration

go 1.26.6

require (
	github.com/klauspost/compress v1.20.3
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
)

require (
	github.com/ctr-rootfs/ctr-rootfs v0.0.0
	golang.org/x/sys v0.49.0
)

replace github.com/ctr-rootfs/ctr-rootfs => ../

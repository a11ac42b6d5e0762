package main

import (
	"context"
	"fmt"
)

// measureStart times what an image of ten files costs: nearly all of it is
// starting, asking containerd and mounting.
func (b *bench) measureStart(ctx context.Context, report *report) error {
	if _, err := b.importMade(ctx, made{name: "ten", files: 10, size: 100}); err != nil {
		return err
	}
	results, err := b.measure(ctx, []way{
		{name: "ctr-rootfs ls", script: "ctr-rootfs ls $REF >/dev/null"},
		{name: "ctr-rootfs export", script: export + "-o $OUT $REF"},
		{name: "ctr-rootfs version", script: "ctr-rootfs version >/dev/null"},
	}, []string{"REF=localhost/bench:ten"})
	if err != nil {
		return err
	}
	report.start = results
	return nil
}

// measureGrowth times images of ever more files, and of ever more bytes.
func (b *bench) measureGrowth(ctx context.Context, report *report, most int, largest int64) error {
	for files := 1000; files <= most; files *= 10 {
		if err := b.grow(ctx, &report.files, float64(files), made{name: fmt.Sprint("files-", files), files: files, size: 1000}); err != nil {
			return err
		}
	}
	sizes := []int64{1e6, 1e7, 1e8, 1e9, 8 << 30}
	for _, size := range sizes {
		if size > largest {
			break
		}
		const each = 1 << 28
		files := int((size + each - 1) / each)
		if err := b.grow(ctx, &report.bytes, float64(size), made{name: fmt.Sprint("bytes-", size), files: files, size: size / int64(files)}); err != nil {
			return err
		}
	}
	return nil
}

// point is one image of a growing row.
type point struct {
	x       float64
	results []*result
}

// grow measures through a pipe, since the largest outputs have no room on tmpfs,
// and removes the image afterwards.
func (b *bench) grow(ctx context.Context, row *[]point, x float64, m made) error {
	chain, err := b.importMade(ctx, m)
	if err != nil {
		return err
	}
	variables, unmount, err := b.mountView(ctx, m.name, chain)
	if err != nil {
		return err
	}
	defer unmount()
	results, err := b.measure(ctx, []way{
		{name: "ctr-rootfs", script: export + "$REF | cat >/dev/null"},
		{name: "mount, GNU tar, unmount", script: "mount -t overlay -o $OPTIONS overlay $FRESH; tar --numeric-owner -C $FRESH -cf - . | cat >/dev/null; umount $FRESH"},
	}, variables)
	if err != nil {
		return err
	}
	*row = append(*row, point{x, results})
	_, err = b.must(ctx, "ctr images rm --sync $REF", variables...)
	return err
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	startDeadline = 60 * time.Second
	stopDeadline  = 20 * time.Second
)

// containerdConfig keeps the root in the cache, so that images are unpacked
// once, and all else in the scratch folder.
const containerdConfig = `version = 3
root = "%[1]s/containerd"
state = "%[2]s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.podsandbox.controller.v1.podsandbox", "io.containerd.sandbox.controller.v1.shim", "io.containerd.nri.v1.nri"]
[grpc]
address = "%[2]s/c.sock"
[ttrpc]
address = "%[2]s/c.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "%[2]s/opt"
[plugins."io.containerd.shim.v1.manager"]
socket_dir = "%[2]s/s"
`

func (b *bench) startContainerd(ctx context.Context) (stop func(), err error) {
	b.address = filepath.Join(b.scratch, "c.sock")
	b.env = append(b.env, "CONTAINERD_ADDRESS="+b.address)
	config := filepath.Join(b.scratch, "containerd.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, containerdConfig, b.cache, b.scratch), 0o600); err != nil {
		return nil, err
	}
	return b.startDaemon(ctx, "containerd", "exec containerd --config "+config, "ctr version")
}

// startDocker starts Debian's dockerd with no network of its own.
func (b *bench) startDocker(ctx context.Context) (stop func(), err error) {
	const line = `exec env PATH="$PEERS/usr/bin:$PEERS/usr/sbin:$PATH" dockerd --data-root $CACHE/docker --exec-root $SCRATCH/docker \
		--pidfile $SCRATCH/docker.pid -H unix://$SCRATCH/docker.sock --storage-driver overlay2 --bridge=none --iptables=false --ip6tables=false`
	b.env = append(b.env, "DOCKER_HOST=unix://"+filepath.Join(b.scratch, "docker.sock"))
	return b.startDaemon(ctx, "dockerd", line, "docker version")
}

// startDaemon runs a daemon until stop, and waits until probe succeeds. Its log
// is in the cache.
func (b *bench) startDaemon(ctx context.Context, name, line, probe string) (stop func(), err error) {
	log, err := os.Create(filepath.Join(b.cache, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := b.shell(context.WithoutCancel(ctx), line)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its log says why
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		select {
		case <-ended:
		case <-time.After(stopDeadline):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err = b.must(ctx, probe); err == nil {
			return stop, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("%s ended, see %s", name, log.Name())
		default:
		}
	}
	stop()
	return nil, fmt.Errorf("%s does not answer, see %s: %w", name, log.Name(), err)
}

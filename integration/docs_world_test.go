package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// The names that the pages use. A registry on loopback has docsImage for two
// platforms, and is found for docker.io by a hosts.toml, as a mirror is.
const (
	docsImage = "docker.io/library/alpine:3.20"
	// docsContainer is the image of the container web, and of the pod web,
	// whose container is app.
	docsContainer = "docker.io/library/web:1"
)

// docsWorld is what the commands of the pages find around them: a containerd
// with a container and a pod, a registry, and in the working folder image.tar
// and app.tar (OCI archives), docker.tar (one by docker save) and layout/ of
// docsImage.
type docsWorld struct {
	*daemon.Daemon
	path string
	// files are those of the working folder.
	files string
}

func startDocsWorld(t *testing.T) *docsWorld {
	t.Helper()
	d := daemon.Start(t, daemon.Options{})
	w := &docsWorld{Daemon: d, files: t.TempDir()}
	image := busyboxImage(t, "alpine")
	arm := image
	arm.Platform = ispec.Platform{OS: "linux", Architecture: "arm64"}
	r := startRegistry(t, registryOptions{})
	content := r.push(t, "library/alpine:3.20", image, arm)
	w.path = docsPath(t, docsHosts(t, r, content))
	w.writeFiles(t, image)

	web := writeArchive(t, docsContainer, busyboxImage(t, "web"))
	d.Ctr(t, "images", "import", web)
	d.Ctr(t, "--namespace", "k8s.io", "images", "import", web)
	w.startTask(t, "default", "web")
	w.startDockers(t)
	w.startTask(t, "k8s.io", "4f7e2b",
		"--label", "io.cri-containerd.kind=container", "--label", "io.kubernetes.pod.namespace=default",
		"--label", "io.kubernetes.pod.name=web", "--label", "io.kubernetes.container.name=app")
	return w
}

// busyboxImage is small and has a shell, as alpine has. Images of two names
// have no layer in common.
func busyboxImage(t *testing.T, name string) imagetest.Image {
	t.Helper()
	created := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	program := busybox(t)
	layer := imagetest.Layer{
		imagetest.Dir("bin", 0o755), program, imagetest.Dir("dev", 0o755), imagetest.Dir("etc", 0o755),
		imagetest.File("etc/os-release", 0o644, "ID="+name+"\nVERSION_ID=3.20.0\n"),
		imagetest.File("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
		imagetest.File("etc/group", 0o644, "root:x:0:\napp:x:1000:\n"),
		imagetest.Dir("home", 0o755), imagetest.Dir("home/app", 0o755).Own(1000, 1000), imagetest.Dir("proc", 0o755),
		imagetest.Dir("root", 0o700), imagetest.Dir("sbin", 0o755), imagetest.Dir("sys", 0o755), imagetest.Dir("tmp", 0o1777),
		imagetest.Dir("usr", 0o755), imagetest.Dir("usr/share", 0o755), imagetest.Dir("usr/share/doc", 0o755),
		imagetest.File("usr/share/doc/README", 0o644, "about it\n"),
		imagetest.Dir("run", 0o755), imagetest.Dir("run/lock", 0o1777), imagetest.Dir("var", 0o755), imagetest.Symlink("var/run", "../run"),
	}
	for _, applet := range []string{"sh", "ls", "cat", "echo", "id", "sleep", "hostname"} {
		layer = append(layer, imagetest.Symlink("bin/"+applet, "/bin/busybox"))
	}
	layer = append(layer, imagetest.Symlink("sbin/init", "/bin/busybox"))
	return imagetest.Image{
		Created: &created,
		Config:  ispec.ImageConfig{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}},
		Layers:  []imagetest.Layer{layer, {imagetest.File("etc/motd", 0o644, "Welcome to "+name+"\n")}},
	}
}

// docsPath has ctr-rootfs, with the registry that stands for the real ones;
// runc, with a state folder of its own; and the daemon's ctr.
func docsPath(t *testing.T, hosts string) string {
	t.Helper()
	bin := t.TempDir()
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip("SKIPPED: runc is not installed: integration/install-deps")
	}
	for name, command := range map[string]string{
		"ctr-rootfs": fmt.Sprintf("%q --hosts-dir %q", programs.ctrRootfs, hosts),
		"runc":       fmt.Sprintf("%q --root %q", runc, t.TempDir()),
	} {
		script := "#!/bin/sh\nexec " + command + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	containerd, err := tools.Dir(context.Background(), "containerd")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{bin, containerd, os.Getenv("PATH"), "/usr/sbin", "/sbin"}, ":")
}

// writeFiles writes the archives of an image.
func (w *docsWorld) writeFiles(t *testing.T, image imagetest.Image) {
	t.Helper()
	content, err := imagetest.Build(docsImage, image)
	if err != nil {
		t.Fatal(err)
	}
	if err := content.WriteLayout(filepath.Join(w.files, "layout")); err != nil {
		t.Fatal(err)
	}
	var oci, docker bytes.Buffer
	err = errors.Join(content.WriteArchive(&oci), imagetest.WriteDockerArchive(&docker, docsImage, image),
		os.WriteFile(filepath.Join(w.files, "image.tar"), oci.Bytes(), 0o644),
		os.WriteFile(filepath.Join(w.files, "app.tar"), oci.Bytes(), 0o644),
		os.WriteFile(filepath.Join(w.files, "docker.tar"), docker.Bytes(), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// startDockers starts docker's container web, as containerd has it: in namespace moby,
// by its id, and without a snapshot. The docker of the pages knows that id alone.
func (w *docsWorld) startDockers(t *testing.T) {
	t.Helper()
	id := "d0c" + strings.Repeat("5e", 30) + "1"
	root := filepath.Join(t.TempDir(), "merged")
	command(t, nil, programs.ctrRootfs, "export", "--format", "dir", "-o", root, "oci-archive:"+filepath.Join(w.files, "app.tar"))
	w.Ctr(t, "--namespace", "moby", "run", "--detach", "--null-io", "--rootfs", root, id, "/bin/sh", "-c", "exec /bin/sleep 3600")
	w.endTask(t, "moby", id)
	docker := "#!/bin/sh\n[ \"$*\" = 'inspect --format {{.Id}} web' ] && echo " + id + "\n"
	bin, _, _ := strings.Cut(w.path, ":")
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
}

// startTask starts a container that sleeps.
func (w *docsWorld) startTask(t *testing.T, namespace, id string, flags ...string) {
	t.Helper()
	args := append([]string{"--namespace", namespace, "run", "--detach", "--null-io"}, flags...)
	w.Ctr(t, append(args, docsContainer, id, "/bin/sh", "-c", "echo built >/tmp/result; exec /bin/sleep 3600")...)
	w.endTask(t, namespace, id)
	waitUntil(t, "container "+id+" has written its file", func() bool {
		_, err := os.Stat(filepath.Join(w.Dir, "state", "io.containerd.runtime.v2.task", namespace, id, "rootfs", "tmp", "result"))
		return err == nil
	})
}

// endTask ends a container with the test.
func (w *docsWorld) endTask(t *testing.T, namespace, id string) {
	t.Helper()
	t.Cleanup(func() {
		w.Ctr(t, "--namespace", namespace, "tasks", "kill", "--all", "--signal", "9", id)
		waitUntil(t, "task "+id+" has stopped", func() bool {
			_, err := w.Run("--namespace", namespace, "containers", "remove", id)
			if err != nil {
				_, err = w.Run("--namespace", namespace, "tasks", "remove", "--force", id)
			}
			return err == nil
		})
	})
}

// newPage gives the folder in which a page's commands run, with the image not
// yet pulled.
func (w *docsWorld) newPage(t *testing.T) string {
	t.Helper()
	for _, namespace := range []string{"default", "k8s.io"} {
		w.Ctr(t, "--namespace", namespace, "images", "remove", "--sync", docsImage) // no error where there is none
	}
	dir := filepath.Join(t.TempDir(), "work")
	command(t, nil, "cp", "-r", w.files, dir)
	return dir
}

// run runs a command as a shell does, and gives what it printed, with the
// sockets where people have them.
func (w *docsWorld) run(t *testing.T, dir, text string) (output string, status int) {
	t.Helper()
	const deadline = 2 * time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", text)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + w.path, "HOME=" + dir, "TERM=dumb", "LC_ALL=C", "TZ=UTC", "GORACE=atexit_sleep_ms=0",
		"CONTAINERD_ADDRESS=" + w.Address, "XDG_RUNTIME_DIR=" + dir,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %q: %v", text, err)
	}
	return strings.ReplaceAll(out.String(), w.Address, "/run/containerd/containerd.sock"), cmd.ProcessState.ExitCode()
}

package imagetest

import (
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Greeting is what the program of Standard is asked to print.
const Greeting = "hello from a bundle"

// capNetRaw is CAP_NET_RAW of linux/capability.h as a set.
const capNetRaw = 1 << 13

// Standard is an image as people have them, with one of everything that an
// exporter gets wrong: hard links in and across directories, whiteouts, an
// opaque directory, setuid, devices, a FIFO, xattrs, a capability, symlinks.
// program is a static executable that prints its arguments: /usr/bin/hello.
func Standard(program []byte) Image {
	created := time.Date(2024, time.May, 6, 7, 8, 9, 0, time.UTC)
	hello := File("usr/bin/hello", 0o755, "")
	hello.Body = program
	return Image{
		Created: &created,
		Config: ispec.ImageConfig{
			User:       "app",
			Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"},
			Entrypoint: []string{"/usr/bin/hello"},
			Cmd:        []string{Greeting},
			WorkingDir: "/srv/app",
		},
		Layers: []Layer{standardBase(), standardProgram(hello), standardChanges()},
	}
}

// standardBase is a distribution's layer.
func standardBase() Layer {
	nanoseconds := time.Date(2022, time.July, 8, 9, 10, 11, 123456789, time.UTC)
	return Layer{
		Symlink("bin", "usr/bin"),
		Dir("dev", 0o755), Char("dev/console", 0o600, 5, 1), Char("dev/null", 0o666, 1, 3), Block("dev/loop7", 0o660, 7, 7).Own(0, 6),
		Dir("dev/pts", 0o755), File("dev/pts/0", 0o600, ""), Dir("dev/shm", 0o1777),
		Dir("etc", 0o755),
		File("etc/group", 0o644, "root:x:0:\nshadow:x:42:\napp:x:1000:\n"),
		File("etc/hostname", 0o644, "builder\n"),
		File("etc/hosts", 0o644, "10.0.0.1 builder\n"),
		File("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:App:/srv/app:/usr/sbin/nologin\n"),
		File("etc/resolv.conf", 0o644, "nameserver 10.0.0.2\n"),
		File("etc/shadow", 0o640, "root:*:19000:0:99999:7:::\n").Own(0, 42),
		Symlink("lib", "usr/lib"),
		Dir("opt", 0o755), Dir("opt/old", 0o755), File("opt/old/a", 0o644, "gone"), File("opt/keep", 0o644, "kept"),
		Dir("run", 0o755), FIFO("run/initctl", 0o600).Own(0, 5),
		Dir("tmp", 0o1777),
		Dir("usr", 0o755), Dir("usr/bin", 0o755),
		File("usr/bin/perl", 0o755, "#!perl").At(nanoseconds), Link("usr/bin/perl5.36.0", "usr/bin/perl"),
		File("usr/bin/ping", 0o755, "#!ping").Capability(capNetRaw),
		File("usr/bin/su", 0o4755, "#!su"), File("usr/bin/wall", 0o2755, "#!wall").Own(0, 5),
		Dir("usr/lib", 0o755), File("usr/lib/libz.so.1", 0o644, "\x7fELF libz"), Symlink("usr/lib/libz.so", "libz.so.1"),
		Dir("usr/share", 0o755), Dir("usr/share/zoneinfo", 0o755), Dir("usr/share/zoneinfo/posix", 0o755),
		File("usr/share/zoneinfo/Zulu", 0o644, "TZif2"), Link("usr/share/zoneinfo/UTC", "usr/share/zoneinfo/Zulu"),
		Link("usr/share/zoneinfo/posix/UTC", "usr/share/zoneinfo/Zulu"),
		Dir("var", 0o755), Dir("var/cache", 0o755), File("var/cache/a", 0o644, "stale"), File("var/cache/b", 0o644, "stale"),
		Dir("var/mail", 0o2775).Own(0, 8), Symlink("var/run", "/run"),
	}
}

// standardProgram adds the application.
func standardProgram(hello Entry) Layer {
	return Layer{
		Dir("srv", 0o755), Dir("srv/app", 0o750).Own(1000, 1000).Xattr("user.note", "of a directory"),
		File("srv/app/data", 0o600, "\x00\x01\x02").Own(1000, 1000).Xattr("user.binary", "\x00\xff\n").Xattr("user.empty", ""),
		File("srv/app/big-owner", 0o600, "").Own(1<<21+1, 1<<31-1),
		Dir("usr", 0o755), Dir("usr/bin", 0o755), hello,
	}
}

// standardChanges takes back and replaces what the layers below hold.
func standardChanges() Layer {
	return Layer{
		File(".dockerenv", 0o644, ""), File("Dockerfile", 0o644, "FROM scratch\n"),
		Dir("etc", 0o755), File("etc/motd", 0o644, "welcome\n"),
		Dir("opt", 0o755), Whiteout("opt", "old"),
		Dir("usr/bin", 0o755), File("usr/bin/perl", 0o755, "#!another perl"),
		Dir("usr/share/zoneinfo", 0o755), Whiteout("usr/share/zoneinfo", "Zulu"),
		Dir("var", 0o755), Dir("var/cache", 0o700), Opaque("var/cache"), File("var/cache/c", 0o644, "fresh"),
	}
}

// UsrEtc is an image whose etc is a symlink to usr/etc, as OSTree's are, with
// a resolv.conf that points to nothing.
func UsrEtc() Image {
	return Image{Layers: []Layer{{
		Symlink("etc", "usr/etc"),
		Dir("usr", 0o755), Dir("usr/etc", 0o755),
		File("usr/etc/hosts", 0o644, "10.0.0.1 builder\n"),
		File("usr/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n"),
		Symlink("usr/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
	}}}
}

// OneProgram is an image that holds nothing but a static program.
func OneProgram(program []byte) Image {
	hello := File("hello", 0o755, "")
	hello.Body = program
	return Image{Config: ispec.ImageConfig{Entrypoint: []string{"/hello", Greeting}}, Layers: []Layer{{hello}}}
}

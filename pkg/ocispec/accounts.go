package ocispec

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// MaxAccountsFile is how many bytes etc/passwd or etc/group may have. A root
// that carries a site's whole directory (50,000 accounts) needs 4 MiB; a file
// beyond twice that is no account file, and an image must not choose how much
// memory its reader takes.
const MaxAccountsFile = 8 << 20

// maxID is the highest uid and gid accepted: the kernel takes more, but what
// stands between (32-bit programs, moby, containerd) does not.
const maxID = 1<<31 - 1

// maxGroups is NGROUPS_MAX of setgroups(2), on which a start would fail.
const maxGroups = 65536

// Accounts are the contents of the root's etc/passwd and etc/group, each nil
// where the root has no such file. Lines may be of any bytes; only the line
// that is looked up has to be well formed.
type Accounts struct {
	Passwd, Group []byte
}

type passwdEntry struct {
	name, home string
	uid, gid   uint32
}

func (a Accounts) check() error {
	if len(a.Passwd) > MaxAccountsFile {
		return fmt.Errorf("reading etc/passwd: over %d bytes", MaxAccountsFile)
	}
	if len(a.Group) > MaxAccountsFile {
		return fmt.Errorf("reading etc/group: over %d bytes", MaxAccountsFile)
	}
	return nil
}

// userNamed gives the first entry with the name, as glibc does; nil where
// there is none.
func (a Accounts) userNamed(name string) (*passwdEntry, error) {
	for n, line := range lines(a.Passwd) {
		if f := fields(line, 7); string(f[0]) == name {
			return parsePasswd(n, f)
		}
	}
	return nil, nil
}

// userWithID gives the first entry with the uid; nil where there is none.
func (a Accounts) userWithID(uid uint32) (*passwdEntry, error) {
	for n, line := range lines(a.Passwd) {
		f := fields(line, 7)
		if id, ok := parseID(f[2]); ok && id == uid {
			return parsePasswd(n, f)
		}
	}
	return nil, nil
}

// groupNamed gives the gid of the first group with the name.
func (a Accounts) groupNamed(name string) (gid uint32, found bool, err error) {
	for n, line := range lines(a.Group) {
		if f := fields(line, 4); string(f[0]) == name {
			gid, err := parseGroup(n, f)
			return gid, true, err
		}
	}
	return 0, false, nil
}

// groupsOf gives the gids of the groups that list the user as a member, in
// the file's order, each once.
func (a Accounts) groupsOf(user string) ([]uint32, error) {
	var gids []uint32
	seen := map[uint32]bool{}
	for n, line := range lines(a.Group) {
		f := fields(line, 4)
		if !hasMember(f[3], user) {
			continue
		}
		gid, err := parseGroup(n, f)
		if err != nil {
			return nil, err
		}
		if !seen[gid] {
			seen[gid] = true
			gids = append(gids, gid)
		}
		if len(gids) > maxGroups {
			return nil, fmt.Errorf("reading etc/group: user %q: in over %d groups", user, maxGroups)
		}
	}
	return gids, nil
}

func hasMember(list []byte, user string) bool {
	for member := range bytes.SplitSeq(list, []byte(",")) {
		if string(bytes.TrimSpace(member)) == user {
			return true
		}
	}
	return false
}

// lines gives the lines that can be entries, numbered from 1. They are parts
// of data, so a line of any length costs nothing.
func lines(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		n := 0
		for line := range bytes.Lines(data) {
			n++
			line = bytes.TrimSpace(line)
			if len(line) == 0 || line[0] == '#' {
				continue
			}
			if !yield(n, line) {
				return
			}
		}
	}
}

// fields gives exactly count fields; those that the line lacks are empty, and
// what it has beyond them is left out.
func fields(line []byte, count int) [][]byte {
	f := bytes.SplitN(line, []byte(":"), count+1)
	for len(f) < count {
		f = append(f, nil)
	}
	return slices.Clip(f[:count])
}

// parsePasswd reads name:password:uid:gid:gecos:home:shell (passwd(5)). A line
// without a gid has 0, as for containerd, umoci and podman. A uid that is missing
// would be 0 there, too, which makes root of a mistake: it is an error here.
func parsePasswd(line int, f [][]byte) (*passwdEntry, error) {
	uid, ok := parseID(f[2])
	if !ok {
		return nil, idError("etc/passwd", line, "uid", f[2])
	}
	var gid uint32
	if len(f[3]) > 0 {
		if gid, ok = parseID(f[3]); !ok {
			return nil, idError("etc/passwd", line, "gid", f[3])
		}
	}
	return &passwdEntry{name: string(f[0]), uid: uid, gid: gid, home: string(f[5])}, nil
}

// parseGroup reads name:password:gid:members (group(5)).
func parseGroup(line int, f [][]byte) (uint32, error) {
	gid, ok := parseID(f[2])
	if !ok {
		return 0, idError("etc/group", line, "gid", f[2])
	}
	return gid, nil
}

// maxQuoted is how much of a file's own bytes an error message repeats.
const maxQuoted = 40

func idError(file string, line int, what string, value []byte) error {
	return fmt.Errorf("reading %s line %d: %s %q: want a number from 0 to %d",
		file, line, what, value[:min(len(value), maxQuoted)], maxID)
}

// parseID is strict where strconv is not: no sign, no underscore.
func parseID(b []byte) (uint32, bool) {
	if len(b) == 0 || len(bytes.Trim(b, "0123456789")) > 0 {
		return 0, false
	}
	id, err := strconv.ParseUint(string(b), 10, 31)
	return uint32(id), err == nil
}

package ocispec

import (
	"errors"
	"fmt"
	"strings"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// UserGroups says which users get the groups that etc/group puts them into.
// A user given with a group never gets them.
type UserGroups string

const (
	// UserGroupsSpec is the default: a user given by name gets them
	// (conversion.md, Config.User).
	UserGroupsSpec UserGroups = "spec"
	// UserGroupsDocker gives them to a user given by number, too, and to root
	// where no user is given, by the name that etc/passwd has for the number.
	UserGroupsDocker UserGroups = "docker"
)

var (
	errNotFound = errors.New("not found")
	errNoFile   = errors.New("no such file")
)

// identity is who the process runs as.
type identity struct {
	uid, gid uint32
	groups   []uint32
	home     string
}

// NeedsAccounts says whether New looks into the root's etc/passwd or etc/group
// for this image and these options. Where it does not, they need not be read.
func NeedsAccounts(img ispec.Image, o Options) bool {
	img, _ = Clean(img, o)
	if !hasVariable(img.Config.Env, "HOME") && !hasVariable(o.Env, "HOME") {
		return true
	}
	s := userOf(img, o)
	if s == "" {
		return o.UserGroups == UserGroupsDocker
	}
	user, group, _ := strings.Cut(s, ":")
	return !isNumber(user) || !isNumber(group)
}

func userOf(img ispec.Image, o Options) string {
	if o.User != "" {
		return o.User
	}
	return img.Config.User
}

// resolveUser follows conversion.md, Config.User: numbers are taken verbatim,
// names are looked up. Where no group is given it is the user's own of
// etc/passwd (config.md, User), and 0 for a number that is not there.
func resolveUser(s string, mode UserGroups, acc Accounts) (identity, error) {
	if err := acc.check(); err != nil {
		return identity{}, err
	}
	user, group, err := splitUser(s)
	if err != nil {
		return identity{}, err
	}
	entry, err := findUser(user, acc)
	if err != nil {
		return identity{}, err
	}
	id := identity{uid: entry.uid, gid: entry.gid, home: entry.home}
	if s == "" {
		id.gid = 0 // conversion.md leaves it to us: root, whatever passwd says
	}
	if id.home == "" {
		id.home = "/"
	}
	if group != "" {
		id.gid, err = findGroup(group, acc)
		return id, err
	}
	byName := !isNumber(user)
	if entry.name != "" && (byName || mode == UserGroupsDocker) {
		id.groups, err = acc.groupsOf(entry.name)
	}
	return id, err
}

// splitUser parts user[:group]. Nothing at all is root. A colon with no group
// after it is what USER $UID:$GID leaves of an unset variable, which builders
// let through; with no user before it, it would make root of a mistake.
func splitUser(s string) (user, group string, err error) {
	if s == "" {
		return "0", "", nil
	}
	user, group, _ = strings.Cut(s, ":")
	if user == "" || strings.Contains(group, ":") {
		return "", "", fmt.Errorf("reading user %q: want user, or user:group", s)
	}
	return user, group, nil
}

func findUser(user string, acc Accounts) (*passwdEntry, error) {
	if isNumber(user) {
		uid, err := number("user", user)
		if err != nil {
			return nil, err
		}
		entry, err := acc.userWithID(uid)
		if entry == nil && err == nil {
			entry = &passwdEntry{uid: uid}
		}
		return entry, err
	}
	entry, err := acc.userNamed(user)
	if err == nil && entry == nil {
		err = missing(acc.Passwd)
	}
	if err != nil {
		return nil, fmt.Errorf("looking up user %q in etc/passwd: %w", user, err)
	}
	return entry, nil
}

func findGroup(group string, acc Accounts) (uint32, error) {
	if isNumber(group) {
		return number("group", group)
	}
	gid, found, err := acc.groupNamed(group)
	if err == nil && !found {
		err = missing(acc.Group)
	}
	if err != nil {
		return 0, fmt.Errorf("looking up group %q in etc/group: %w", group, err)
	}
	return gid, nil
}

func missing(file []byte) error {
	if file == nil {
		return errNoFile
	}
	return errNotFound
}

// isNumber also takes a minus sign, so that -1 is out of range rather than an
// unknown name.
func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

func number(what, s string) (uint32, error) {
	id, ok := parseID([]byte(s))
	if !ok {
		return 0, fmt.Errorf("reading %s %q: out of range 0 to %d", what, s, maxID)
	}
	return id, nil
}

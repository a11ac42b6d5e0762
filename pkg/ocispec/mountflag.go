package ocispec

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// mountFlag is what --mount said, before it is a mount.
type mountFlag struct {
	kind, source, target string
	readonly, flat       bool
	propagation          string
	tmpfs                []string
}

// ParseMount reads docker's --mount syntax, a line of CSV with KEY=VALUE:
// type (bind or tmpfs), source or src, target or dst or destination, readonly
// or ro, bind-propagation, bind-nonrecursive, tmpfs-size, tmpfs-mode. Docker's
// volumes have nothing to stand for here. A source is absolute: where a bundle
// will be started from is not known.
func ParseMount(s string) (rspec.Mount, error) {
	m, err := parseMount(s)
	if err != nil {
		return rspec.Mount{}, fmt.Errorf("reading mount %q: %w", s, err)
	}
	return m, nil
}

func parseMount(s string) (rspec.Mount, error) {
	keys, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return rspec.Mount{}, err
	}
	var f mountFlag
	for _, pair := range keys {
		key, value, given := strings.Cut(pair, "=")
		if !given {
			value = "true" // docker: "readonly" alone
		}
		if err := f.set(strings.ToLower(strings.TrimSpace(key)), value, given); err != nil {
			return rspec.Mount{}, err
		}
	}
	if f.target == "" {
		return rspec.Mount{}, errors.New("no target")
	}
	if at := path.Clean(f.target); !path.IsAbs(at) || at == "/" {
		return rspec.Mount{}, fmt.Errorf("target %q: want an absolute path below /", f.target)
	}
	switch f.kind {
	case "bind":
		return f.bind()
	case "tmpfs":
		return f.temporary()
	case "":
		return rspec.Mount{}, errors.New("no type: want bind or tmpfs")
	}
	return rspec.Mount{}, fmt.Errorf("type %q: want bind or tmpfs", f.kind)
}

// set takes one key. given says that it had a value of its own.
func (f *mountFlag) set(key, value string, given bool) (err error) {
	boolean := key == "readonly" || key == "ro" || key == "bind-nonrecursive"
	if !given && !boolean {
		return fmt.Errorf("%s: no value", key)
	}
	switch key {
	case "type":
		f.kind = strings.ToLower(value)
	case "source", "src":
		f.source = value
	case "target", "dst", "destination":
		f.target = value
	case "readonly", "ro":
		f.readonly, err = parseBool(key, value)
	case "bind-nonrecursive":
		f.flat, err = parseBool(key, value)
	case "bind-propagation":
		f.propagation = value
	case "tmpfs-size":
		var size int64
		size, err = ParseMemory(value)
		f.tmpfs = append(f.tmpfs, "size="+strconv.FormatInt(size, 10))
	case "tmpfs-mode":
		var mode uint64
		mode, err = strconv.ParseUint(value, 8, 12) // permissions with setuid, setgid and sticky
		f.tmpfs = append(f.tmpfs, "mode="+strconv.FormatUint(mode, 8))
	default:
		err = fmt.Errorf("key %q: unknown", key)
	}
	return err
}

func (f *mountFlag) bind() (rspec.Mount, error) {
	if !path.IsAbs(f.source) {
		return rspec.Mount{}, fmt.Errorf("source %q: want an absolute path", f.source)
	}
	if len(f.tmpfs) > 0 {
		return rspec.Mount{}, errors.New("tmpfs keys with type bind")
	}
	propagations := []string{"private", "rprivate", "shared", "rshared", "slave", "rslave"}
	if f.propagation == "" {
		f.propagation = "rprivate" // docker's default: nothing mounted later comes or goes
	}
	if !slices.Contains(propagations, f.propagation) {
		return rspec.Mount{}, fmt.Errorf("bind-propagation %q: want one of %s", f.propagation, strings.Join(propagations, ", "))
	}
	options := []string{"rbind"}
	if f.flat {
		options = []string{"bind"}
	}
	return rspec.Mount{
		Destination: f.target, Type: "bind", Source: f.source,
		Options: append(options, f.propagation, f.access()),
	}, nil
}

func (f *mountFlag) temporary() (rspec.Mount, error) {
	if f.source != "" || f.propagation != "" || f.flat {
		return rspec.Mount{}, errors.New("source or bind keys with type tmpfs")
	}
	options := append([]string{"noexec", "nosuid", "nodev"}, f.tmpfs...)
	return rspec.Mount{
		Destination: f.target, Type: "tmpfs", Source: "tmpfs",
		Options: append(options, f.access()),
	}, nil
}

func (f *mountFlag) access() string {
	if f.readonly {
		return "ro"
	}
	return "rw"
}

func parseBool(key, value string) (bool, error) {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%s %q: want true or false", key, value)
	}
	return b, nil
}

// ParseMemory reads docker's sizes: a number and b, k, m, g or t in either
// case, by the 1024; no letter is bytes. The number may have a fraction.
func ParseMemory(s string) (int64, error) {
	number, unit := s, 1.0
	if s != "" {
		at := strings.Index("bkmgt", strings.ToLower(s[len(s)-1:]))
		if at >= 0 {
			number, unit = s[:len(s)-1], math.Pow(1024, float64(at))
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	size := n * unit
	// The comparison is false for NaN; 1<<62 bytes are enough for anybody.
	if err != nil || !(size >= 1 && size <= 1<<62) || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("reading size %q: want a number with b, k, m, g or t", s)
	}
	return int64(size), nil
}

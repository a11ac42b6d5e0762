package ocispec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"unicode/utf8"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// Check reads data, the bytes of a config.json, as a runtime-spec document.
// Wrong JSON, or a value of the wrong type, is an error with line and column,
// counted in bytes from 1 (for a value, where it ends). What the spec requires
// and is missing is an error, and so is a root.path other than RootPath. What
// the spec does not know is let through (config.md, Extensibility).
func Check(data []byte) (*rspec.Spec, error) {
	spec := new(rspec.Spec)
	if err := decode(data, spec); err != nil {
		return nil, err
	}
	return spec, checkSpec(spec)
}

// CheckContainer reads data, the config.json of a container, as Check does, and
// gives it the root.path of a bundle: a container's own leads to where its root
// filesystem is mounted on that host.
func CheckContainer(data []byte) (*rspec.Spec, error) {
	spec := new(rspec.Spec)
	if err := decode(data, spec); err != nil {
		return nil, err
	}
	if spec.Root == nil {
		spec.Root = new(rspec.Root)
	}
	spec.Root.Path = RootPath
	return spec, checkSpec(spec)
}

func checkSpec(spec *rspec.Spec) error {
	for _, check := range []func(*rspec.Spec) error{checkVersion, checkRoot, checkProcess, checkMounts, checkLinux} {
		if err := check(spec); err != nil {
			return err
		}
	}
	return nil
}

// decode is json.Unmarshal with places in its errors.
func decode(data []byte, v any) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("reading JSON at %s: not UTF-8", place(data, invalidUTF8(data)))
	}
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("reading JSON at %s: %w", place(data, int(syntax.Offset)), err)
	case errors.As(err, &wrongType):
		return fmt.Errorf("reading JSON at %s: %s: want %s, not %s",
			place(data, int(wrongType.Offset)), wrongType.Field, jsonType(wrongType.Type), wrongType.Value)
	case err != nil:
		return fmt.Errorf("reading JSON: %w", err)
	}
	// null decodes into anything and changes nothing.
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return fmt.Errorf("reading JSON at %s: want an object", place(data, 1))
	}
	return nil
}

// jsonType says t in the words of JSON; of numbers it says the range, too.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.Slice:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	default:
		return t.Kind().String()
	}
}

// place names the byte before offset, which is the last one read.
func place(data []byte, offset int) string {
	before := data[:max(0, min(offset, len(data))-1)]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d column %d", line, column)
}

// invalidUTF8 gives the offset behind the first byte that is no UTF-8.
func invalidUTF8(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at + 1
}

func checkVersion(spec *rspec.Spec) error {
	if !isVersion(spec.Version) {
		return fmt.Errorf("reading ociVersion %q: want MAJOR.MINOR.PATCH", spec.Version)
	}
	return nil
}

// checkRoot: config.md, Root, and the bundle that this project writes.
func checkRoot(spec *rspec.Spec) error {
	if spec.Root == nil {
		return errors.New("reading root: missing")
	}
	if path.Clean(spec.Root.Path) != RootPath {
		return fmt.Errorf("reading root.path %q: the bundle's root filesystem is %q", spec.Root.Path, RootPath)
	}
	return nil
}

// checkProcess: config.md, Process. Without a process a bundle can be created,
// though not started.
func checkProcess(spec *rspec.Spec) error {
	p := spec.Process
	if p == nil {
		return nil
	}
	if !path.IsAbs(p.Cwd) {
		return fmt.Errorf("reading process.cwd %q: not an absolute path", p.Cwd)
	}
	if len(p.Args) == 0 {
		return errors.New("reading process.args: empty")
	}
	for i, r := range p.Rlimits {
		if r.Type == "" {
			return fmt.Errorf("reading process.rlimits[%d].type: missing", i)
		}
	}
	return nil
}

func checkMounts(spec *rspec.Spec) error {
	for i, m := range spec.Mounts {
		if m.Destination == "" {
			return fmt.Errorf("reading mounts[%d].destination: missing", i)
		}
	}
	if _, found := spec.Annotations[""]; found {
		return errors.New("reading annotations: a key is empty")
	}
	return checkHooks(spec.Hooks)
}

// checkHooks: config.md, POSIX-platform Hooks: path MUST be absolute.
func checkHooks(h *rspec.Hooks) error {
	if h == nil {
		return nil
	}
	hooks := slices.Concat(h.Prestart, h.CreateRuntime, h.CreateContainer, h.StartContainer, h.Poststart, h.Poststop) //nolint:staticcheck // Prestart is deprecated, and still read by runtimes
	for _, hook := range hooks {
		if !path.IsAbs(hook.Path) {
			return fmt.Errorf("reading a hook's path %q: not an absolute path", hook.Path)
		}
	}
	return nil
}

// checkLinux: config-linux.md, Namespaces and Seccomp.
func checkLinux(spec *rspec.Spec) error {
	if spec.Linux == nil {
		return nil
	}
	known := []rspec.LinuxNamespaceType{
		rspec.PIDNamespace, rspec.NetworkNamespace, rspec.MountNamespace, rspec.IPCNamespace,
		rspec.UTSNamespace, rspec.UserNamespace, rspec.CgroupNamespace, rspec.TimeNamespace,
	}
	seen := map[rspec.LinuxNamespaceType]bool{}
	for i, ns := range spec.Linux.Namespaces {
		if !slices.Contains(known, ns.Type) {
			return fmt.Errorf("reading linux.namespaces[%d].type %q: unknown", i, ns.Type)
		}
		if seen[ns.Type] {
			return fmt.Errorf("reading linux.namespaces[%d].type %q: a second time", i, ns.Type)
		}
		seen[ns.Type] = true
	}
	if spec.Linux.Seccomp == nil {
		return nil
	}
	return checkSeccomp(spec.Linux.Seccomp)
}

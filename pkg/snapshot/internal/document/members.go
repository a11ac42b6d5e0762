package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// has says whether one of an object's members is one that encoding/json would take for
// name.
func has(members []string, name string) bool {
	return slices.ContainsFunc(members, func(member string) bool { return strings.EqualFold(member, name) })
}

// unambiguous fails where an object of the JSON document data has two members of one
// name, or two whose names differ only in case and stand for one field of t, into which
// the document is parsed. encoding/json takes the last of them; other readers take the
// first, or know the right spelling alone. What t has no field for is passed over.
//
// It gives the members of the document itself, which is an object. The document has
// been parsed before, so it is well formed and not too deep.
func unambiguous(data []byte, t reflect.Type) (members []string, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	fields := fieldsOf(t)
	seen := map[string]string{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		field, of := fields.find(name)
		if other, twice := seen[field]; twice {
			return nil, fmt.Errorf("it has %q twice, as %q and %q", field, other, name)
		}
		seen[field] = name
		members = append(members, name)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if err := unambiguousBelow(value, of); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// unambiguousBelow is unambiguous for the objects in a value that is parsed into t; t
// is nil for one that is passed over, and may be another type than the value has.
func unambiguousBelow(value []byte, t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return nil
	case value[0] == '{' && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map):
		_, err := unambiguous(value, t)
		return err
	case value[0] == '[' && t.Kind() == reflect.Slice:
		var elements []json.RawMessage
		if err := json.Unmarshal(value, &elements); err != nil {
			return err
		}
		for _, element := range elements {
			if err := unambiguousBelow(element, t.Elem()); err != nil {
				return err
			}
		}
	}
	return nil
}

// fields are those of a type, or all members of a map.
type fields struct {
	known []reflect.StructField
	all   reflect.Type // that of the values of a map
}

func fieldsOf(t reflect.Type) fields {
	if t.Kind() == reflect.Map {
		return fields{all: t.Elem()}
	}
	return fields{known: reflect.VisibleFields(t)}
}

// find gives what a member stands for, and its type, nil where it is passed over.
func (f fields) find(name string) (string, reflect.Type) {
	for _, field := range f.known {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag != "" && strings.EqualFold(tag, name) {
			return tag, field.Type
		}
	}
	return name, f.all
}

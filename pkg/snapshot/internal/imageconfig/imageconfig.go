// Package imageconfig reads an image's config field by field, so that a field of a
// wrong type is an error only for callers that need it. It checks types, not values.
package imageconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Config is an image's config, for json.Unmarshal. That fails if the platform or
// rootfs cannot be read, which every caller needs.
type Config struct {
	ispec.Image
	// Unread holds the other fields whose values have another type than config.md's,
	// each with the reason; they are empty in Image. The keys are the names of
	// config.md, as in "created" or "config.Cmd".
	Unread map[string]error
}

// UnmarshalJSON reads data. Names are matched without regard to case, as
// everywhere in Go: older tools wrote "Created".
func (c *Config) UnmarshalJSON(data []byte) error {
	var top struct {
		ispec.Platform
		RootFS  ispec.RootFS    `json:"rootfs"`
		Created json.RawMessage `json:"created"`
		Author  json.RawMessage `json:"author"`
		History json.RawMessage `json:"history"`
		Config  json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(data, &top); err != nil {
		return err
	}
	*c = Config{Image: ispec.Image{Platform: top.Platform, RootFS: top.RootFS}}
	c.readCreated(top.Created)
	c.read("author", top.Author, &c.Author)
	c.read("history", top.History, &c.History)
	c.readConfig(top.Config)
	return nil
}

// readConfig reads what is below "config".
func (c *Config) readConfig(data json.RawMessage) {
	var fields struct {
		User, ExposedPorts, Env, Entrypoint, Cmd, Volumes json.RawMessage
		WorkingDir, Labels, StopSignal, ArgsEscaped       json.RawMessage
	}
	if !c.read("config", data, &fields) {
		return
	}
	for _, field := range []struct {
		name string
		data json.RawMessage
		into any
	}{
		{"User", fields.User, &c.Config.User},
		{"ExposedPorts", fields.ExposedPorts, &c.Config.ExposedPorts},
		{"Env", fields.Env, &c.Config.Env},
		{"Entrypoint", fields.Entrypoint, &c.Config.Entrypoint},
		{"Cmd", fields.Cmd, &c.Config.Cmd},
		{"Volumes", fields.Volumes, &c.Config.Volumes},
		{"WorkingDir", fields.WorkingDir, &c.Config.WorkingDir},
		{"Labels", fields.Labels, &c.Config.Labels},
		{"StopSignal", fields.StopSignal, &c.Config.StopSignal},
		{"ArgsEscaped", fields.ArgsEscaped, &c.Config.ArgsEscaped}, //nolint:staticcheck // deprecated, and still written
	} {
		c.read("config."+field.name, field.data, field.into)
	}
}

// readCreated reads a date. Builders write an empty string for none.
func (c *Config) readCreated(data json.RawMessage) {
	var text *string
	if !c.read("created", data, &text) || text == nil || *text == "" {
		return
	}
	created, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		c.unread("created", fmt.Errorf("%q is not a date and time of RFC 3339", *text))
		return
	}
	c.Created = &created
}

// read reads one field into its place, which stays empty where it cannot be read.
func (c *Config) read(name string, data json.RawMessage, into any) bool {
	if len(data) == 0 {
		return true
	}
	err := json.Unmarshal(data, into)
	if err == nil {
		return true
	}
	reflect.ValueOf(into).Elem().SetZero()
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("want %s, not %s", typeName(wrong.Type), wrong.Value)
	}
	c.unread(name, err)
	return false
}

func (c *Config) unread(name string, err error) {
	if c.Unread == nil {
		c.Unread = make(map[string]error)
	}
	c.Unread[name] = err
}

// typeName says t in the words of JSON.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Bool:
		return "boolean"
	default:
		return t.Kind().String()
	}
}

package imageconfig

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// whole is a config with every field, each of its right type.
const whole = `{"created":"2024-02-29T12:30:00+02:00","author":"a","architecture":"arm","variant":"v7","os":"linux","os.version":"6","os.features":["f"],
"rootfs":{"type":"layers","diff_ids":["sha256:00"]},"history":[{"created":"2024-02-29T12:30:00Z","created_by":"x"}],
"config":{"User":"u","ExposedPorts":{"80":{}},"Env":["A=1"],"Entrypoint":["/e"],"Cmd":["c"],"Volumes":{"/v":{}},"WorkingDir":"/w","Labels":{"l":"1"},"StopSignal":"9","ArgsEscaped":true}}`

// TestWhole: what is of the right types is read as image-spec's own type reads it.
func TestWhole(t *testing.T) {
	for _, text := range []string{whole, strings.Replace(whole, `"Cmd"`, `"cmd"`, 1), `{}`, `{"config":null,"created":null,"history":null}`,
		`{"config":{"Env":null,"Labels":null,"Volumes":null,"Cmd":null,"Entrypoint":null,"ExposedPorts":null,"User":null}}`,
		// Fields of docker's and of nobody's, whatever they hold.
		`{"config":{"Hostname":5,"Memory":"1","CpuShares":[],"Healthcheck":"none","Shell":"sh","OnBuild":{},"Tty":"x"},"container_config":5,"moby.buildkit.cache.v0":[]}`} {
		var want ispec.Image
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		var got Config
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Unread) > 0 {
			t.Errorf("%s: %v, unread %v", text, err, got.Unread)
		}
		if !reflect.DeepEqual(got.Image, want) {
			t.Errorf("%s\n got %+v\nwant %+v", text, got.Image, want)
		}
	}
}

// TestOdd: a field of a wrong type is named, and all others are read.
func TestOdd(t *testing.T) {
	for _, c := range []struct{ old, new, field, why string }{
		{`["c"]`, `"/bin/sh -c x"`, "config.Cmd", "want array, not string"},
		{`["c"]`, `["c",5]`, "config.Cmd", "want string, not number"},
		{`["/e"]`, `{}`, "config.Entrypoint", "want array, not object"},
		{`["A=1"]`, `"A=1"`, "config.Env", "want array, not string"},
		{`["A=1"]`, `{"A":"1"}`, "config.Env", "want array, not object"},
		{`"u"`, `1000`, "config.User", "want string, not number"},
		{`{"80":{}}`, `["80"]`, "config.ExposedPorts", "want object, not array"},
		{`{"80":{}}`, `{"80":"tcp"}`, "config.ExposedPorts", "want object, not string"},
		{`{"/v":{}}`, `["/v"]`, "config.Volumes", "want object, not array"},
		{`"/w"`, `["/w"]`, "config.WorkingDir", "want string, not array"},
		{`{"l":"1"}`, `{"l":1}`, "config.Labels", "want string, not number"},
		{`"9"`, `9`, "config.StopSignal", "want string, not number"},
		{`true`, `"true"`, "config.ArgsEscaped", "want boolean, not string"},
		{`"2024-02-29T12:30:00+02:00"`, `"yesterday"`, "created", `"yesterday" is not a date and time of RFC 3339`},
		{`"2024-02-29T12:30:00+02:00"`, `"2024-02-29 12:30:00"`, "created", `"2024-02-29 12:30:00" is not a date`},
		{`"2024-02-29T12:30:00+02:00"`, `1709202600`, "created", "want string, not number"},
		{`"author":"a"`, `"author":["a"]`, "author", "want string, not array"},
		{`[{"created":"2024-02-29T12:30:00Z"`, `[{"created":""`, "history", "parsing time"},
		{`[{"created":"2024-02-29T12:30:00Z","created_by":"x"}]`, `"none"`, "history", "want array, not string"},
	} {
		text := strings.Replace(whole, c.old, c.new, 1)
		if text == whole {
			t.Fatalf("%s is not in the config", c.old)
		}
		var got, all Config
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", c.new, err)
			continue
		}
		if err := json.Unmarshal([]byte(whole), &all); err != nil {
			t.Fatal(err)
		}
		if fields := slices.Collect(maps.Keys(got.Unread)); !slices.Equal(fields, []string{c.field}) || !strings.Contains(got.Unread[c.field].Error(), c.why) {
			t.Errorf("%s: unread %v, want %s: %s", c.new, got.Unread, c.field, c.why)
		}
		if differ := differences(got.Image, all.Image); !slices.Equal(differ, []string{c.field}) {
			t.Errorf("%s: %q are not as they were, want %s alone", c.new, differ, c.field)
		}
	}
}

// differences names the fields that differ.
func differences(a, b ispec.Image) (names []string) {
	for name, same := range map[string]bool{
		"created": reflect.DeepEqual(a.Created, b.Created), "author": a.Author == b.Author,
		"history": reflect.DeepEqual(a.History, b.History), "rootfs": reflect.DeepEqual(a.RootFS, b.RootFS),
		"platform": reflect.DeepEqual(a.Platform, b.Platform),
	} {
		if !same {
			names = append(names, name)
		}
	}
	x, y := reflect.ValueOf(a.Config), reflect.ValueOf(b.Config)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			names = append(names, "config."+x.Type().Field(i).Name)
		}
	}
	return names
}

// TestNoDate: an empty date is what builders write for none.
func TestNoDate(t *testing.T) {
	var got Config
	if err := json.Unmarshal([]byte(`{"created":""}`), &got); err != nil || got.Created != nil || len(got.Unread) > 0 {
		t.Errorf("created %v, unread %v, %v", got.Created, got.Unread, err)
	}
}

// TestOddConfig: config itself may be anything; nothing of it is read then.
func TestOddConfig(t *testing.T) {
	for _, value := range []string{`[]`, `"x"`, `5`, `true`} {
		var got Config
		err := json.Unmarshal([]byte(`{"os":"linux","config":`+value+`}`), &got)
		if err != nil || got.Unread["config"] == nil || got.OS != "linux" {
			t.Errorf("config %s: %+v, %v", value, got, err)
		}
	}
}

// TestNeeded: there is no image without a platform and layers.
func TestNeeded(t *testing.T) {
	for _, text := range []string{
		`{"os":5}`, `{"architecture":["amd64"]}`, `{"variant":7}`, `{"os.version":6.1}`, `{"os.features":"f"}`,
		`{"rootfs":[]}`, `{"rootfs":{"type":1}}`, `{"rootfs":{"diff_ids":"sha256:00"}}`, `{"rootfs":{"diff_ids":[1]}}`, `[]`, `"x"`, `5`, `{`,
	} {
		if err := json.Unmarshal([]byte(text), new(Config)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one of a line", text, err)
		}
	}
}

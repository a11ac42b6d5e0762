package imagetest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	blockSize  = 512
	maxOctal7  = 0o7777777     // 8 bytes less the terminator
	maxOctal11 = 0o77777777777 // 12 bytes less the terminator
)

// Layer is the entries of a layer in the order of its tar.
type Layer []Entry

// Tar gives the layer's uncompressed bytes: each entry as a ustar header with a
// PAX header before it where ustar cannot hold it, and two zero blocks.
func (l Layer) Tar() []byte {
	var out bytes.Buffer
	byName := map[string]Entry{}
	for _, e := range l {
		if first, found := byName[e.Target]; found && e.Typeflag == typeLink {
			e.Mode, e.UID, e.GID, e.MTime = first.Mode, first.UID, first.GID, first.MTime
		}
		byName[e.Name] = e
		e.appendTo(&out)
	}
	out.Write(make([]byte, 2*blockSize))
	return out.Bytes()
}

func (e Entry) appendTo(out *bytes.Buffer) {
	if records := e.paxRecords(); len(records) > 0 {
		var body []byte
		for _, r := range records {
			body = append(body, r.encode()...)
		}
		x := Entry{Name: "PaxHeaders/entry", Typeflag: 'x', Mode: 0o644, MTime: epoch, Body: body}
		x.appendBlocks(out)
	}
	e.appendBlocks(out)
}

// paxRecords are the entry's own records and those for fields that do not fit.
func (e Entry) paxRecords() []Record {
	records := append([]Record(nil), e.Records...)
	add := func(key, value string) { records = append(records, Record{key, value}) }
	if needsPAX(e.Name) {
		add("path", e.Name)
	}
	if needsPAX(e.Target) {
		add("linkpath", e.Target)
	}
	if e.UID > maxOctal7 {
		add("uid", strconv.FormatInt(e.UID, 10))
	}
	if e.GID > maxOctal7 {
		add("gid", strconv.FormatInt(e.GID, 10))
	}
	if sec := e.MTime.Unix(); e.MTime.Nanosecond() != 0 || sec < 0 || sec > maxOctal11 {
		add("mtime", formatTime(e.MTime))
	}
	return records
}

// needsPAX says whether a name is too long for a ustar field or not ASCII.
func needsPAX(name string) bool {
	if len(name) > 100 {
		return true
	}
	return strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 })
}

// formatTime writes seconds and nanoseconds as POSIX has it: -1.5 is a second
// and a half before the epoch.
func formatTime(t time.Time) string {
	sec, nsec := t.Unix(), t.Nanosecond()
	sign := ""
	if sec < 0 {
		sign, sec = "-", -sec
		if nsec > 0 {
			sec, nsec = sec-1, 1_000_000_000-nsec
		}
	}
	if nsec == 0 {
		return fmt.Sprintf("%s%d", sign, sec)
	}
	return strings.TrimRight(fmt.Sprintf("%s%d.%09d", sign, sec, nsec), "0")
}

// encode writes "LENGTH KEY=VALUE\n", where LENGTH counts itself.
func (r Record) encode() string {
	rest := " " + r.Key + "=" + r.Value + "\n"
	length := len(rest)
	for {
		digits := len(strconv.Itoa(length))
		if length == len(rest)+digits {
			return strconv.Itoa(length) + rest
		}
		length = len(rest) + digits
	}
}

func (e Entry) appendBlocks(out *bytes.Buffer) {
	var h [blockSize]byte
	copy(h[0:100], e.Name)
	octal(h[100:108], e.Mode)
	octal(h[108:116], min(e.UID, maxOctal7))
	octal(h[116:124], min(e.GID, maxOctal7))
	octal(h[124:136], int64(len(e.Body)))
	octal(h[136:148], min(max(e.MTime.Unix(), 0), maxOctal11))
	h[156] = e.Typeflag
	copy(h[157:257], e.Target)
	copy(h[257:265], "ustar\x0000")
	if e.Typeflag == typeChar || e.Typeflag == typeBlock {
		octal(h[329:337], e.Major)
		octal(h[337:345], e.Minor)
	}
	setChecksum(h[:])
	out.Write(h[:])
	out.Write(e.Body)
	if rest := len(e.Body) % blockSize; rest != 0 {
		out.Write(make([]byte, blockSize-rest))
	}
}

// setChecksum sums a header's bytes, the field itself as spaces.
func setChecksum(h []byte) {
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// octal fills a numeric field, zero padded and terminated.
func octal(field []byte, n int64) {
	copy(field, fmt.Sprintf("%0*o\x00", len(field)-1, n))
}

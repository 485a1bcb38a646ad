package vapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/webhookauth/webhookauth/verify"
)

// object is a JSON object that is read field by field, strictly: a name counts
// only in its exact spelling and once, and what nobody asked for is an error.
// The first error is kept.
type object struct {
	path   string
	fields map[string]json.RawMessage
	asked  map[string]bool
	err    error
}

func parseObject(path string, data []byte) (*object, error) {
	o := &object{path: path, fields: map[string]json.RawMessage{}, asked: map[string]bool{}}
	where := "the credential"
	if path != "" {
		where = path
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("vapi: %s is not a JSON object", where)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("vapi: %s is not valid JSON", where)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("vapi: %s is not valid JSON", where)
		}
		key := name.(string)
		if _, twice := o.fields[key]; twice {
			return nil, o.fault(key, "appears twice")
		}
		o.fields[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("vapi: %s is not valid JSON", where)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("vapi: something follows %s", where)
	}
	return o, nil
}

// has tells whether the field is there, be it null.
func (o *object) has(name string) bool { _, ok := o.fields[name]; return ok }

// text is a string field; "" if it is absent or null.
func (o *object) text(name string) (s string) {
	if !o.decode(name, &s) {
		o.fail(name, "is not a string")
	}
	return s
}

// flag is a boolean field; fallback if it is absent or null.
func (o *object) flag(name string, fallback bool) bool {
	b := fallback
	if !o.decode(name, &b) {
		o.fail(name, "is not true or false")
	}
	return b
}

// decode leaves v as it is for a field that is absent or null.
func (o *object) decode(name string, v any) (ok bool) {
	o.asked[name] = true
	value, there := o.fields[name]
	return !there || json.Unmarshal(value, v) == nil
}

// object is an object field; nil if it is absent or null.
func (o *object) object(name string) *object {
	o.asked[name] = true
	value, there := o.fields[name]
	if !there || string(value) == "null" {
		return nil
	}
	inner, err := parseObject(o.join(name), value)
	if err != nil && o.err == nil {
		o.err = err
	}
	return inner
}

// secret gives the secrets that the caller holds, or else the field's.
func (o *object) secret(name, id string, given verify.Secrets) verify.Secrets {
	value := o.text(name)
	if given != nil {
		return given
	}
	if value == "" {
		o.fail(name, "is missing: the API does not return it, give it apart")
		return nil
	}
	if strings.ContainsRune(value, utf8.RuneError) { // encoding/json put it there
		o.fail(name, "is not valid Unicode")
		return nil
	}
	return verify.Named(verify.NewSecret(id, value))
}

func oneOf[T any](o *object, name string, known map[string]T) T {
	text := o.text(name)
	value, ok := known[text]
	if !ok && o.err == nil {
		names := slices.Sorted(maps.Keys(known))
		o.fail(name, shown(text)+" is not one of "+strings.TrimPrefix(strings.Join(names, ", "), ", "))
	}
	return value
}

// shown quotes the value of a field that has a few known words for values. What
// is longer than a word is not shown: it may be a secret in the wrong field.
func shown(value string) string {
	if len(value) > 20 {
		return "value"
	}
	return strconv.Quote(value)
}

func (o *object) ignore(names ...string) {
	for _, name := range names {
		o.asked[name] = true
	}
}

// finish is the first error, or names a field that nobody asked for.
func (o *object) finish() error {
	if o.err != nil {
		return o.err
	}
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		if !o.asked[name] {
			return o.fault(name, "is not a field that this package knows")
		}
	}
	return nil
}

func (o *object) fail(name, problem string) {
	if o.err == nil {
		o.err = o.fault(name, problem)
	}
}

func (o *object) fault(name, problem string) error {
	return fmt.Errorf("vapi: %s %s", o.join(name), problem)
}

func (o *object) join(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// hiddenSecret may be in nothing that this package prints.
const hiddenSecret = "S3cret-Value.of~the+redaction/tests"

// disguises are the forms in which a secret is still one: as it is, in the
// encodings that verbs and marshallers use, and as the digest that is compared.
func disguises(secret string) map[string]string {
	digest := sha256.Sum256([]byte(secret))
	forms := map[string]string{}
	for what, data := range map[string][]byte{"secret": []byte(secret), "digest": digest[:]} {
		forms[what] = string(data)
		forms[what+" in hex"] = hex.EncodeToString(data)
		forms[what+" in base64"] = base64.RawStdEncoding.EncodeToString(data)
		forms[what+" in URL-safe base64"] = base64.RawURLEncoding.EncodeToString(data)
		forms[what+" in decimal"] = strings.Trim(fmt.Sprint(data), "[]")
		forms[what+" in Go syntax"] = strings.Trim(fmt.Sprintf("%#v", data[:8]), "[]byte{}")
	}
	return forms
}

// disclosed names the disguise of a secret that is in the text; "" for none.
func disclosed(text, secret string) string {
	for what, form := range disguises(secret) {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return what
		}
	}
	return ""
}

// outputs is what fmt, slog and encoding/json make of a value.
func outputs(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%p", "%T", "%80.40v"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("text", "value", v, slog.Group("group", "value", v))
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("json", "value", v, slog.Group("group", "value", v))
	data, err := json.Marshal(v)
	out["slog text"], out["slog JSON"], out["JSON"] = text.String(), structured.String(), fmt.Sprintf("%s, %v", data, err)
	out["Println"] = fmt.Sprintln(v)
	var dump strings.Builder
	dumpAll(&dump, reflect.ValueOf(v), map[uintptr]bool{})
	out["a dumper"] = dump.String()
	return out
}

// dumpAll writes every string and every run of bytes that reflection reaches, as
// a debugger's dumper would, unexported fields too.
func dumpAll(w *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.String:
		w.WriteString(v.String() + "\n")
	case reflect.Interface:
		dumpAll(w, v.Elem(), seen)
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			dumpAll(w, v.Elem(), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			dumpAll(w, v.Field(i), seen)
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			dumpAll(w, entry.Key(), seen)
			dumpAll(w, entry.Value(), seen)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if v.Type().Elem().Kind() == reflect.Uint8 {
				w.WriteByte(byte(v.Index(i).Uint()))
			} else {
				dumpAll(w, v.Index(i), seen)
			}
		}
		w.WriteByte('\n')
	}
}

func TestSecretPrintsItsID(t *testing.T) {
	secret := verify.NewSecret(`key "7"`, hiddenSecret)
	const want = `Secret("key \"7\"")`
	for _, v := range []any{secret, &secret} {
		for name, got := range outputs(v) {
			switch name {
			case "slog text", "slog JSON":
				if strings.Count(got, `Secret(`) != 2 {
					t.Errorf("%s: %s", name, got)
				}
			case "JSON":
				if got != `"Secret(\"key \\\"7\\\"\")", <nil>` {
					t.Errorf("%s: %s", name, got)
				}
			case "%T", "%p", "a dumper":
			default:
				if strings.TrimSpace(got) != want {
					t.Errorf("%s: %s", name, got)
				}
			}
		}
	}
}

// TestNothingPrintsSecrets: V08.
func TestNothingPrintsSecrets(t *testing.T) {
	secret := verify.NewSecret("id", hiddenSecret)
	set, err := verify.NewSecretSet(secret)
	if err != nil {
		t.Fatal(err)
	}
	file := &verify.SecretFile{Path: secretPath(t, hiddenSecret)}
	bearer := verify.Bearer{Tokens: verify.Static(hiddenSecret)}
	cfg := verify.Config{Accept: verify.AnyOf(verify.HMAC{Keys: verify.Named(secret)}, verify.AllOf(bearer), verify.VapiSecret(file))}
	v := configure(t, cfg)
	res := accept(t, v, post("{}", "Authorization", "Bearer "+hiddenSecret))
	authenticator, err := bearer.Build(verify.Env{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	_, refusal := v.Check(post("{}", "Authorization", "Bearer "+hiddenSecret+"x"))
	if refusal == nil {
		t.Fatal("accepted")
	}
	type unexported struct{ secret verify.Secret }
	for name, value := range map[string]any{
		"secret in a struct":         struct{ S verify.Secret }{secret},
		"secret in a hidden field":   unexported{secret},
		"pointer in a hidden field":  struct{ s *verify.Secret }{&secret},
		"secret in an interface":     struct{ s any }{secret},
		"secrets in a slice":         []verify.Secret{secret},
		"secrets in a map":           map[string]verify.Secret{"key": secret},
		"secret as a map of structs": map[string]unexported{"key": {secret}},
		"set":                        set,
		"list of a set":              set.All(),
		"Static":                     verify.Static(hiddenSecret),
		"Named":                      verify.Named(secret),
		"Rotating":                   rotating(t, secret),
		"SecretFile":                 file,
		"Bearer":                     bearer,
		"pointer to Bearer":          &bearer,
		"HMAC":                       verify.HMAC{Keys: rotating(t, secret)},
		"AnyOf":                      cfg.Accept,
		"Config":                     cfg,
		"Verifier":                   v,
		"Authenticator":              authenticator,
		"Result":                     res,
		"refusal":                    refusal,
		"attempts":                   verify.Refusal(refusal).Attempts,
	} {
		t.Run("V08 "+name, func(t *testing.T) {
			for how, text := range outputs(value) {
				if what := disclosed(text, hiddenSecret); what != "" {
					t.Errorf("%s gives the %s: %s", how, what, text)
				}
			}
		})
	}
	t.Run("the search finds a secret that is not hidden", func(t *testing.T) {
		bare := outputs(struct {
			s string
			b []byte
		}{hiddenSecret, []byte(hiddenSecret)})
		for _, how := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "slog text", "Println", "a dumper"} {
			if disclosed(bare[how], hiddenSecret) == "" {
				t.Errorf("not with %s: %s", how, bare[how])
			}
		}
		for how, v := range map[string]any{"slog JSON": hiddenSecret, "JSON": []byte(hiddenSecret)} {
			if text := outputs(v)[how]; disclosed(text, hiddenSecret) == "" {
				t.Errorf("not with %s: %s", how, text)
			}
		}
		for what, form := range disguises(hiddenSecret) {
			if disclosed("x"+form+"x", hiddenSecret) == "" {
				t.Errorf("the %s is not found", what)
			}
		}
	})
}

// A configuration is refused without repeating the secret that is wrong with it.
func TestConfigErrorsHoldNoSecret(t *testing.T) {
	file := func(content string) verify.Secrets { return &verify.SecretFile{Path: secretPath(t, content)} }
	expired := verify.NewSecret("a", hiddenSecret)
	expired.NotBefore, expired.NotAfter = now, now.Add(-1)
	for name, scheme := range map[string]verify.Scheme{
		"V08 whitespace":          verify.Bearer{Tokens: verify.Static(hiddenSecret + " ")},
		"V08 newline in a file":   verify.Bearer{Tokens: file(hiddenSecret + "\n")},
		"V08 space in a file":     verify.Bearer{Tokens: file(" " + hiddenSecret)},
		"V08 two tokens":          verify.Bearer{Tokens: verify.Static(hiddenSecret + " " + hiddenSecret)},
		"V08 control character":   verify.Bearer{Tokens: verify.Static(hiddenSecret + "\x00x")},
		"V08 too long":            verify.Bearer{Tokens: verify.Static(strings.Repeat(hiddenSecret, 1000))},
		"V08 two of one id":       verify.Bearer{Tokens: verify.Named(verify.NewSecret("a", hiddenSecret), verify.NewSecret("a", hiddenSecret))},
		"V08 not base64":          verify.HMAC{Keys: verify.Static(hiddenSecret), KeysAreBase64: true},
		"V08 prefix left on":      verify.HMAC{Keys: verify.Static("whsec_" + hiddenSecret), KeysAreBase64: true},
		"V08 wrong interval":      verify.Bearer{Tokens: verify.Named(expired)},
		"V08 good, beside a nil":  verify.AnyOf(verify.Bearer{Tokens: verify.Static(hiddenSecret)}, nil),
		"V08 good, in a bad HMAC": verify.HMAC{Keys: verify.Static(hiddenSecret), Payload: "{body}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verify.New(verify.Config{Accept: scheme, Now: clock})
			var e *verify.ConfigError
			if !errors.As(err, &e) {
				t.Fatalf("New: %v", err)
			}
			for how, text := range outputs(err) {
				if what := disclosed(text, hiddenSecret); what != "" {
					t.Errorf("%s gives the %s: %s", how, what, text)
				}
			}
		})
	}
}

// TestRefusalsSayNothing: what was presented may be a real secret with a slip in
// it, and is repeated no more than the configured one.
func TestRefusalsSayNothing(t *testing.T) {
	const presented = "Presented-T0ken.with~a/slip"
	var event verify.Event
	v := configure(t, verify.Config{
		Accept:  verify.AnyOf(verify.Bearer{Tokens: verify.Static(hiddenSecret)}, verify.VapiSecret(verify.Static(hiddenSecret))),
		Observe: func(_ context.Context, e verify.Event) { event = e },
	})
	accept(t, v, post("{}", "X-Vapi-Secret", hiddenSecret))
	word := regexp.MustCompile(`[^\s"():;,]+`)
	problems := map[string]bool{}
	for name, header := range map[string][]string{
		"wrong":            {"Authorization", "Bearer " + presented},
		"wrong, bare":      {"X-Vapi-Secret", presented},
		"wrong scheme":     {"Authorization", "Basic " + presented},
		"two tokens":       {"Authorization", "Bearer " + presented + " " + presented},
		"two lines":        {"Authorization", "Bearer " + presented, "Authorization", "Bearer " + presented},
		"in another place": {"X-Api-Key", presented},
		"too long":         {"Authorization", "Bearer " + strings.Repeat(presented, 1000)},
	} {
		t.Run("V08 V09 "+name, func(t *testing.T) {
			_, err := v.Check(post("{}", header...))
			refusal := verify.Refusal(err)
			if refusal == nil || refusal.StatusCode() != http.StatusUnauthorized {
				t.Fatalf("error %v", err)
			}
			for what, value := range map[string]any{"error": err, "event": event, "attempts": refusal.Attempts, "problem": string(refusal.Problem())} {
				for how, text := range outputs(value) {
					if found := disclosed(text, hiddenSecret) + disclosed(text, presented); found != "" {
						t.Errorf("%s of the %s gives the %s: %s", how, what, found, text)
					}
				}
			}
			for _, said := range word.FindAllString(fmt.Sprintf("%+v", event), -1) {
				if res, err := v.Check(post("{}", "X-Vapi-Secret", said)); err == nil {
					t.Errorf("%q out of the refusal was accepted: %+v", said, res)
				}
			}
			problems[string(refusal.Problem())+strings.Join(v.Challenge(err), ", ")] = true
		})
	}
	if len(problems) != 1 {
		t.Errorf("V09: answers differ: %v", problems)
	}
}

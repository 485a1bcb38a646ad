package vapi_test

import (
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/vapi"
)

// fields are all that a plan can have, each with a good value.
var fields = map[string]map[string]string{
	bearerPlan: {
		"type": `"bearer"`, "token": `"` + secret + `"`, "headerName": `"X-Api-Key"`, "bearerPrefixEnabled": `true`,
	},
	hmacPlan: {
		"type": `"hmac"`, "secretKey": `"` + secret + `"`, "algorithm": `"sha256"`, "signatureHeader": `"x-signature"`,
		"timestampHeader": `"x-timestamp"`, "signaturePrefix": `"sha256="`, "includeTimestamp": `true`,
		"payloadFormat": `"{timestamp}.{body}"`, "messageIdHeader": `"svix-id"`, "signatureEncoding": `"hex"`,
		"secretIsBase64": `false`,
	},
}

// object writes a plan with all its fields, one of them with another value.
func object(fields map[string]string, name, value string) string {
	parts := []string{`"` + name + `":` + value}
	for other, good := range fields {
		if other != name {
			parts = append(parts, `"`+other+`":`+good)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// Whatever is wrong with a field, the error names it by its path.
func TestEveryFieldIsStrict(t *testing.T) {
	for _, plan := range []string{bearerPlan, hmacPlan} {
		for name, good := range fields[plan] {
			t.Run(name, func(t *testing.T) {
				both := func(plan, name, problem string) {
					t.Helper()
					refuse(t, plan, "vapi: "+name+" "+problem)
					refuse(t, credential("webhook", plan), "vapi: authenticationPlan."+name+" "+problem)
				}
				all := object(fields[plan], name, good)
				parse(t, all)
				parse(t, credential("webhook", all))

				both(with(all, `"`+name+`":`+good), name, "appears twice")
				both(with(all, `"`+name+`":null`), name, "appears twice")
				escaped := `\u00` + hexOf(name[0]) + name[1:]
				parse(t, strings.Replace(all, `"`+name+`"`, `"`+escaped+`"`, 1))
				both(with(all, `"`+escaped+`":`+good), name, "appears twice")

				for _, variant := range []string{strings.ToUpper(name[:1]) + name[1:], strings.ToUpper(name), name + " ", snake(name)} {
					if variant != name {
						both(with(all, `"`+variant+`":`+good), variant, "is not a field that this package knows")
					}
				}

				problem, others := "is not a string", []string{`true`, `1`, `[]`, `{}`, `["` + secret + `"]`}
				if good == "true" || good == "false" {
					problem, others = "is not true or false", []string{`"true"`, `"false"`, `1`, `0`, `[]`, `{}`}
				}
				for _, other := range others {
					both(object(fields[plan], name, other), name, problem)
				}
			})
		}
	}
}

func hexOf(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// snake is another common spelling of a name, such as secret_key.
func snake(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

func TestRefusedCredentials(t *testing.T) {
	parse(t, credential("webhook", hmacPlan))
	for _, test := range []struct{ name, data, want string }{
		{"unknown field", with(hmacPlan, `"foo":1`), "vapi: foo is not a field that this package knows"},
		{"unknown field, null", with(hmacPlan, `"foo":null`), "vapi: foo is not a field"},
		{"unknown field of a plan", credential("webhook", with(hmacPlan, `"foo":1`)), "vapi: authenticationPlan.foo is not a field"},
		{"unknown field of a credential", with(credential("webhook", hmacPlan), `"foo":1`), "vapi: foo is not a field"},
		{"HMAC field in a bearer plan", with(bearerPlan, `"algorithm":"sha256"`), "vapi: algorithm is not a field"},
		{"bearer field in an HMAC plan", with(hmacPlan, `"token":"t"`), "vapi: token is not a field"},
		{"credential field in a bare plan", with(hmacPlan, `"id":"cred-7"`), "vapi: id is not a field"},
		{"plan field in a credential", with(credential("webhook", hmacPlan), `"type":"hmac"`), "vapi: type is not a field"},
		{"Provider", with(hmacPlan, `"Provider":"webhook"`), "vapi: Provider is not a field"},
		{"AuthenticationPlan", with(credential("webhook", hmacPlan), `"AuthenticationPlan":`+bearerPlan), "vapi: AuthenticationPlan is not a field"},

		{"unknown type", strings.Replace(hmacPlan, `"hmac"`, `"basic"`, 1), `vapi: type "basic" is not known`},
		{"a long word for a type", strings.Replace(hmacPlan, `"hmac"`, `"a-secret-in-the-wrong-field"`, 1), `vapi: type value is not known`},
		{"a long word for an algorithm", strings.Replace(hmacPlan, `"sha256"`, `"a-secret-in-the-wrong-field"`, 1), `vapi: algorithm value is not one of sha1, sha256, sha512`},
		{"type in another case", strings.Replace(hmacPlan, `"hmac"`, `"HMAC"`, 1), `vapi: type "HMAC" is not known`},
		{"unknown type in a credential", credential("webhook", strings.Replace(hmacPlan, `"hmac"`, `"basic"`, 1)), `vapi: authenticationPlan.type "basic" is not known`},
		{"unknown algorithm", strings.Replace(hmacPlan, `"sha256"`, `"md5"`, 1), `vapi: algorithm "md5" is not one of sha1, sha256, sha512`},
		{"algorithm in another case", strings.Replace(hmacPlan, `"sha256"`, `"SHA256"`, 1), `vapi: algorithm "SHA256" is not one of`},
		{"unknown signatureEncoding", with(hmacPlan, `"signatureEncoding":"base64url"`), `vapi: signatureEncoding "base64url" is not one of base64, hex`},

		{"unknown provider", credential("openai", hmacPlan), `vapi: provider "openai" is neither "custom-credential" nor "webhook"`},
		{"provider in another case", credential("Webhook", hmacPlan), `vapi: provider "Webhook" is neither`},
		{"no provider", `{"authenticationPlan":` + hmacPlan + `}`, `vapi: provider "" is neither`},
		{"provider null", `{"provider":null,"authenticationPlan":` + hmacPlan + `}`, `vapi: provider "" is neither`},
		{"provider a number", `{"provider":1,"authenticationPlan":` + hmacPlan + `}`, "vapi: provider is not a string"},
		{"provider twice", with(credential("webhook", hmacPlan), `"provider":"webhook"`), "vapi: provider appears twice"},
		{"id a number", `{"provider":"webhook","id":7,"authenticationPlan":` + hmacPlan + `}`, "vapi: id is not a string"},
		{"id twice", with(credential("webhook", hmacPlan), `"id":"cred-8"`), "vapi: id appears twice"},
		{"no plan", `{"provider":"webhook","id":"cred-7"}`, "vapi: authenticationPlan is missing"},
		{"plan null", credential("webhook", `null`), "vapi: authenticationPlan is missing"},
		{"plan an array", credential("webhook", `[`+hmacPlan+`]`), "vapi: authenticationPlan is not a JSON object"},
		{"plan a string", credential("webhook", `"hmac"`), "vapi: authenticationPlan is not a JSON object"},
		{"plan twice", with(credential("webhook", hmacPlan), `"authenticationPlan":`+hmacPlan), "vapi: authenticationPlan appears twice"},
		{"ignored field twice", with(credential("webhook", hmacPlan), `"name":"a","name":"a"`), "vapi: name appears twice"},

		{"nothing", ``, "vapi: the credential is not a JSON object"},
		{"null", `null`, "vapi: the credential is not a JSON object"},
		{"an array", `[` + hmacPlan + `]`, "vapi: the credential is not a JSON object"},
		{"a string", `"hmac"`, "vapi: the credential is not a JSON object"},
		{"the secret alone", secret, "vapi: the credential is not a JSON object"},
		{"an empty object", `{}`, "vapi: type is missing"},
		{"cut off", strings.TrimSuffix(hmacPlan, "}"), "vapi: the credential is not valid JSON"},
		{"a comma too much", strings.TrimSuffix(hmacPlan, "}") + ",}", "vapi: the credential is not valid JSON"},
		{"a second object", hmacPlan + hmacPlan, "vapi: something follows the credential"},
		{"a word after it", hmacPlan + "x", "vapi: something follows the credential"},
		{"a brace after it", hmacPlan + "}", "vapi: something follows the credential"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refuse(t, test.data, test.want)
			refuse(t, test.data, test.want, verify.Static("given apart"))
		})
	}
	parse(t, " \r\n\t"+hmacPlan+" \r\n\t")
}

// encoding/json replaces what is not Unicode; a secret would then differ from the
// sender's without a word.
func TestSecretsThatAreNotUnicode(t *testing.T) {
	for name, value := range map[string]string{"a lone surrogate": `ab\ud800c`, "bytes that are not UTF-8": "ab\xffc"} {
		t.Run(name, func(t *testing.T) {
			refuse(t, strings.Replace(hmacPlan, secret, value, 1), "vapi: secretKey is not valid Unicode")
		})
	}
}

// An oauth2 plan says where the sender gets its tokens; whoever passes one in is
// told where to look.
func TestOAuth2(t *testing.T) {
	plan := `{"type":"oauth2","url":"https://auth.example.com/token","clientId":"vapi","clientSecret":"` + secret + `","scope":"hooks"}`
	refuse(t, plan, "vapi: type is \"oauth2\": package verify/oauth checks access tokens")
	refuse(t, credential("webhook", plan), "vapi: authenticationPlan.type is \"oauth2\": package verify/oauth")
	refuse(t, plan, "verify/oauth", verify.Static("given apart"))
}

// Every single byte of a credential is left out, doubled or replaced, and the
// credential cut off before it: where that makes an error, no six bytes of the
// secret are in it.
func TestNoSecretInErrors(t *testing.T) {
	whole := with(credential("webhook", with(hmacPlan, `"includeTimestamp":true`)), `"encryptionPlan":{"a":[1]}`)
	for _, whole := range []string{whole, credential("webhook", bearerPlan), bearerPlan} {
		parse(t, whole)
		var errors int
		for i := range whole {
			head, tail := whole[:i], whole[i+1:]
			broken := []string{head, head + tail, head + whole[i:i+1] + whole[i:]}
			for _, c := range []string{`"`, `\`, `{`, `}`, `[`, `,`, `:`, "\x00", "\n", "\xff", `0`, ` `} {
				broken = append(broken, head+c+tail)
			}
			for _, data := range broken {
				if _, err := vapi.ParseCredential([]byte(data)); err != nil {
					errors++
					wantNoPart(t, err.Error())
				}
			}
		}
		if errors < len(whole) {
			t.Errorf("only %d errors: the edits do not break anything", errors)
		}
	}
}

// wantNoPart expects a text without any six bytes of the secret.
func wantNoPart(t *testing.T, text string) {
	t.Helper()
	for i := range len(secret) - 5 {
		if part := secret[i : i+6]; strings.Contains(text, part) {
			t.Fatalf("%q holds %q of the secret", text, part)
		}
	}
}

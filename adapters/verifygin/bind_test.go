package verifygin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"

	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

type event struct {
	Text string `json:"text"`
}

// jsonOf is a JSON object of exactly n bytes, or nothing.
func jsonOf(n int) (body, text string) {
	const frame = `{"text":""}`
	if n == 0 {
		return "", ""
	}
	text = strings.Repeat("x", n-len(frame))
	return `{"text":"` + text + `"}`, text
}

// A body that was read for its signature can be bound with ShouldBindJSON, once as
// ever, and with ShouldBindBodyWith as often as one likes, in any order (gin#3428,
// #2502, #1810, #439): around the sizes of the decoder's buffer too.
func TestBindAgain(t *testing.T) {
	ways := map[string]func(*gin.Context, any) error{
		"JSON": func(c *gin.Context, v any) error { return c.ShouldBindJSON(v) },
		"body": func(c *gin.Context, v any) error { return c.ShouldBindBodyWith(v, binding.JSON) },
	}
	for _, size := range []int{0, 511, 512, 513, 1535, 1536, 1537, 5000, 100_000} {
		body, text := jsonOf(size)
		for _, order := range []string{"JSON body body", "body body JSON", "body JSON body"} {
			for policy, name := range map[int]string{-1: "unguarded", int(verify.Repeat): "guarded"} {
				t.Run(fmt.Sprintf("%d bytes, %s, %s", size, order, name), func(t *testing.T) {
					r := gin.New()
					ran := 0
					bind := func(c *gin.Context) {
						for n, way := range strings.Fields(order) {
							var got event
							err := ways[way](c, &got)
							if size == 0 && !errors.Is(err, io.EOF) || size > 0 && (err != nil || got.Text != text) {
								t.Errorf("%s as number %d: %d bytes, %v", way, n+1, len(got.Text), err)
							}
							ran++
						}
					}
					r.POST("/hook", verifygin.Middleware(watch(t, policy, verify.HMAC{Keys: verify.Static(key)}).verifier), bind)
					if w := serve(r, signed(t, "/hook", body)); w.Code != 200 || ran != 3 {
						t.Errorf("status %d, bound %d times", w.Code, ran)
					}
				})
			}
		}
	}
}

// The handler's body is as a body should be: it ends, once, whatever reads it.
func TestReadRaw(t *testing.T) {
	body, _ := jsonOf(5000)
	r := gin.New()
	r.POST("/hook", verifygin.Middleware(unguarded(t).verifier), func(c *gin.Context) {
		if cached, _ := c.Get(gin.BodyBytesKey); !bytes.Equal(cached.([]byte), []byte(body)) {
			t.Errorf("the cache holds %.20q", cached)
		}
		d := json.NewDecoder(c.Request.Body)
		var got event
		if err := d.Decode(&got); err != nil || d.More() {
			t.Errorf("decoded %v, more %v", err, d.More())
		}
		if err := d.Decode(&got); err != io.EOF {
			t.Errorf("a second value: %v", err)
		}
		if _, err := c.Request.Body.(io.Seeker).Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		if raw, err := c.GetRawData(); string(raw) != body || err != nil {
			t.Errorf("GetRawData: %d bytes, %v", len(raw), err)
		}
		if err := c.Request.Body.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if w := serve(r, signed(t, "/hook", body)); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

// Only what was read for its signature is put into Gin's cache: a token needs no
// body, and a large one is not held in memory for it.
func TestTokenLeavesTheBody(t *testing.T) {
	r := gin.New()
	v := watch(t, -1, verify.Bearer{Tokens: verify.Static(key)}).verifier
	r.POST("/hook", verifygin.Middleware(v), func(c *gin.Context) {
		if cached, ok := c.Get(gin.BodyBytesKey); ok {
			t.Errorf("the cache holds %v", cached)
		}
		var got event
		if err := c.ShouldBindJSON(&got); err != nil || got.Text != "x" {
			t.Errorf("bound %+v, %v", got, err)
		}
	})
	req := unsigned("/hook", `{"text":"x"}`)
	if err := (verifytest.Bearer{Token: key}).Sign(req); err != nil {
		t.Fatal(err)
	}
	if w := serve(r, req); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

// An earlier middleware may have bound the body with ShouldBindBodyWith, and so
// read it: then Gin's cache has the bytes that were signed.
func TestCachedBody(t *testing.T) {
	const body = `{"text":"x"}`
	bindFirst := func(c *gin.Context) {
		var got event
		if err := c.ShouldBindBodyWith(&got, binding.JSON); err != nil {
			t.Error(err)
		}
	}
	drain := func(c *gin.Context) { _, _ = io.Copy(io.Discard, c.Request.Body) }
	for _, c := range []struct {
		name    string
		first   gin.HandlerFunc
		signed  string
		maxBody int64
		code    int
		reason  string
	}{
		{"genuine", bindFirst, body, 0, 200, "ok"},
		{"forged", bindFirst, `{"text":"y"}`, 0, 401, "mismatch"},
		{"too large", bindFirst, body, 5, 413, "too_large"},
		{"drained, no cache", drain, body, 0, 500, "body_consumed"},
		{"drained, the cache is something else", func(c *gin.Context) { drain(c); c.Set(gin.BodyBytesKey, body) }, body, 0, 500, "body_consumed"},
		{"drained, half a cache", func(c *gin.Context) { drain(c); c.Set(gin.BodyBytesKey, []byte(body[:5])) }, body, 0, 500, "body_consumed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := unguarded(t)
			if c.maxBody > 0 {
				o = limited(t, c.maxBody)
			}
			r := gin.New()
			r.POST("/hook", c.first, verifygin.Middleware(o.verifier), func(c *gin.Context) {
				if raw, err := io.ReadAll(c.Request.Body); string(raw) != body || err != nil {
					t.Errorf("ReadAll: %q, %v", raw, err)
				}
				var got event
				if err := c.ShouldBindBodyWith(&got, binding.JSON); err != nil || got.Text != "x" {
					t.Errorf("bound %+v, %v", got, err)
				}
			})
			req := unsigned("/hook", body)
			req.Header = signed(t, "/hook", c.signed).Header
			if w := serve(r, req); w.Code != c.code || !slices.Equal(o.reasons, []string{c.reason}) {
				t.Errorf("status %d, observed %v", w.Code, o.reasons)
			}
		})
	}
}

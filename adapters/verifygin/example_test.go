package verifygin_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

func Example() {
	v, err := verify.New(verify.Config{
		Accept: verify.HMAC{Keys: verify.Static("key from the environment")},
	})
	if err != nil {
		log.Fatal(err)
	}
	r := gin.New()
	r.POST("/webhook", verifygin.Middleware(v), func(c *gin.Context) {
		res, _ := verifygin.Result(c)
		c.String(http.StatusOK, "hello, %s %s", res.Scheme, res.KeyID)
	})

	forged := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	genuine := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	if err := (verifytest.HMAC{SecretKey: "key from the environment"}).Sign(genuine); err != nil {
		log.Fatal(err)
	}
	for _, request := range []*http.Request{forged, genuine} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
	// 200 hello, hmac 0
}

// A hook for the log; the refusal is answered as without it.
func ExampleWithConfig() {
	v, err := verify.New(verify.Config{Accept: verify.Bearer{Tokens: verify.Static("a-token")}})
	if err != nil {
		log.Fatal(err)
	}
	r := gin.New()
	protect := verifygin.WithConfig(v, verifygin.Config{
		ErrorHandler: func(_ *gin.Context, err error) { fmt.Println("refused:", verify.Reason(err)) },
	})
	r.POST("/webhook", protect, func(c *gin.Context) { c.Status(http.StatusNoContent) })
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/webhook", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// refused: missing
	// 401 Bearer realm="webhook"
}

package verifyhttp_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
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
	mux := http.NewServeMux()
	mux.Handle("POST /webhook", verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, _ := verify.FromContext(r.Context())
		fmt.Fprintf(w, "hello, %s %s", res.Scheme, res.KeyID)
	})))

	forged := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	genuine := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	if err := (verifytest.HMAC{SecretKey: "key from the environment"}).Sign(genuine); err != nil {
		log.Fatal(err)
	}
	for _, r := range []*http.Request{forged, genuine} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
	// 200 hello, hmac 0
}

// A hook for the log, and the usual answer after it.
func ExampleWithConfig() {
	v, err := verify.New(verify.Config{Accept: verify.Bearer{Tokens: verify.Static("a-token")}})
	if err != nil {
		log.Fatal(err)
	}
	protect := verifyhttp.WithConfig(v, verifyhttp.Config{
		Deny: func(w http.ResponseWriter, r *http.Request, err error) {
			fmt.Println("refused:", verify.Reason(err))
			verifyhttp.Deny(v, w, r, err)
		},
	})
	w := httptest.NewRecorder()
	protect(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/webhook", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// refused: missing
	// 401 Bearer realm="webhook"
}

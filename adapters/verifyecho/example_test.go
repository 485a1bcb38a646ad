package verifyecho_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/webhookauth/webhookauth/adapters/verifyecho"
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
	e := echo.New()
	e.POST("/webhook", func(c echo.Context) error {
		res, _ := c.Get("verify").(*verify.Result)
		return c.String(http.StatusOK, "hello, "+res.Scheme+" "+res.KeyID)
	}, verifyecho.Middleware(v))

	forged := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	genuine := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	if err := (verifytest.HMAC{SecretKey: "key from the environment"}).Sign(genuine); err != nil {
		log.Fatal(err)
	}
	for _, r := range []*http.Request{forged, genuine} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 401 {"message":"Unauthorized"}
	// 200 hello, hmac 0
}

// A hook for the log; the refusal stays as it is.
func ExampleWithConfig() {
	v, err := verify.New(verify.Config{Accept: verify.Bearer{Tokens: verify.Static("a-token")}})
	if err != nil {
		log.Fatal(err)
	}
	e := echo.New()
	protect := verifyecho.WithConfig(v, verifyecho.Config{
		ErrorHandler: func(_ echo.Context, err error) error {
			fmt.Println("refused:", verify.Reason(err))
			return err
		},
	})
	e.POST("/webhook", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, protect)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/webhook", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// refused: missing
	// 401 Bearer realm="webhook"
}

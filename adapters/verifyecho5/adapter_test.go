package verifyecho5_test

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/webhookauth/webhookauth/adapters/internal/adaptertest"
	"github.com/webhookauth/webhookauth/adapters/verifyecho5"
	"github.com/webhookauth/webhookauth/verify"
)

// TestAdapter is the table that all adapters pass.
func TestAdapter(t *testing.T) {
	adaptertest.Run(t, adaptertest.Adapter{
		Serve: func(v *verify.Verifier, h adaptertest.Handler) http.Handler {
			e := quiet()
			e.POST("/hook", func(c *echo.Context) error {
				res, _ := c.Get("verify").(*verify.Result)
				h(c.Response(), c.Request(), res)
				return nil
			}, verifyecho5.Middleware(v))
			return e
		},
		Refusal: refusal,
	})
}

// refusal is what Echo answers for an error with a status.
func refusal(status int) (contentType, body string) {
	return "application/json", `{"message":"` + http.StatusText(status) + `"}` + "\n"
}

package verifygin_test

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/internal/adaptertest"
	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/verify"
)

// TestAdapter is the table that all adapters pass.
func TestAdapter(t *testing.T) {
	adaptertest.Run(t, adaptertest.Adapter{
		Serve: func(v *verify.Verifier, h adaptertest.Handler) http.Handler {
			r := gin.New()
			r.POST("/hook", verifygin.Middleware(v), func(c *gin.Context) {
				res, _ := verifygin.Result(c)
				h(c.Writer, c.Request, res)
			})
			return r
		},
		Refusal: adaptertest.Problem,
	})
}

package verifyhttp_test

import (
	"net/http"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/internal/adaptertest"
	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// TestAdapter is the table that all adapters pass.
func TestAdapter(t *testing.T) {
	adaptertest.Run(t, adaptertest.Adapter{
		Serve: func(v *verify.Verifier, h adaptertest.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("POST /hook", verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				res, _ := verify.FromContext(r.Context())
				h(w, r, res)
			})))
			return mux
		},
		Refusal: adaptertest.Problem,
	})
}

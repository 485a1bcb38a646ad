package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"
	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// The middleware is func(http.Handler) http.Handler, which other routers take as
// it is: for all routes, for a group, or for one.
func TestRouters(t *testing.T) {
	v, err := verify.New(verify.Config{Accept: verify.HMAC{Keys: verify.Static(key)}})
	require.NoError(t, err)
	protect := verifyhttp.Middleware(v)
	ran := 0
	webhook := func(w http.ResponseWriter, r *http.Request) {
		ran++
		res, ok := verify.FromContext(r.Context())
		received, err := io.ReadAll(r.Body)
		if !ok || err != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, res.Scheme+" "+string(received))
	}

	chiUse := chi.NewRouter()
	chiUse.Use(protect)
	chiUse.Post("/webhook", webhook)

	chiWith := chi.NewRouter()
	chiWith.With(protect).Post("/webhook", webhook)

	muxUse := mux.NewRouter()
	muxUse.Use(protect)
	muxUse.HandleFunc("/webhook", webhook).Methods(http.MethodPost)

	muxHandle := mux.NewRouter()
	muxHandle.Handle("/webhook", protect(http.HandlerFunc(webhook))).Methods(http.MethodPost)

	for name, router := range map[string]http.Handler{
		"chi Use": chiUse, "chi With": chiWith, "gorilla/mux Use": muxUse, "gorilla/mux Handle": muxHandle,
	} {
		t.Run(name, func(t *testing.T) {
			ran = 0
			server := httptest.NewServer(router)
			defer server.Close()
			status, answer := send(t, delivery(t, server.URL, nil))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "hmac "+body, answer)
			require.Equal(t, 1, ran)
			for forgery, forge := range forgeries {
				status, _ := send(t, delivery(t, server.URL, forge))
				require.Equal(t, http.StatusUnauthorized, status, forgery)
			}
			require.Equal(t, 1, ran, "a forgery reached the handler")
		})
	}
}

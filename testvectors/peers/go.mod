module github.com/webhookauth/webhookauth/testvectors/peers

go 1.26

require (
	github.com/dgraph-io/ristretto/v2 v2.4.2
	github.com/frain-dev/convoy v0.9.2
	github.com/go-playground/webhooks/v6 v6.4.0
	github.com/google/go-github/v90 v90.0.0
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/jellydator/ttlcache/v3 v3.4.1
	github.com/jferrl/go-githubauth v1.6.0
	github.com/maypok86/otter/v2 v2.4.0
	github.com/slack-go/slack v0.35.0
	github.com/standard-webhooks/standard-webhooks/libraries v0.0.1
	github.com/stripe/stripe-go/v86 v86.1.0
	github.com/svix/svix-webhooks v1.99.1
	github.com/webhookauth/webhookauth v0.0.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/felixge/httpsnoop v1.0.4 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/webhookauth/webhookauth => ../..

module github.com/webhookauth/webhookauth/testvectors/peers

go 1.26

require (
	github.com/frain-dev/convoy v0.9.2
	github.com/go-playground/webhooks/v6 v6.4.0
	github.com/google/go-github/v90 v90.0.0
	github.com/jferrl/go-githubauth v1.6.0
	github.com/slack-go/slack v0.35.0
	github.com/standard-webhooks/standard-webhooks/libraries v0.0.1
	github.com/stripe/stripe-go/v86 v86.1.0
	github.com/svix/svix-webhooks v1.99.1
	github.com/webhookauth/webhookauth v0.0.0
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
)

replace github.com/webhookauth/webhookauth => ../..

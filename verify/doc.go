// Package verify decides whether a webhook request is genuine.
//
// Three calls make a receiver safe. Say what you accept, check each request, and
// in the handler ask who vouched for it:
//
//	v, err := verify.New(verify.Config{
//		Accept: verify.HMAC{Keys: verify.Static(os.Getenv("WEBHOOK_KEY"))},
//	})
//	res, err := v.Check(r)              // or the middleware of an adapters package
//	res, ok := verify.FromContext(ctx)  // in the handler behind a middleware
//
// The schemes are plain struct literals: [Bearer], [VapiSecret], [HMAC] and
// [SourceIP], combined by [AnyOf] and [AllOf]. Their defaults are those of Vapi,
// whose credentials package vapi turns into a scheme. Schemes of your own
// implement [Scheme] and [Authenticator].
//
// # What it promises
//
// A request is accepted only if the configured scheme vouches for it. Everything
// else is refused: no header, an empty header, a header twice, a secret that is
// empty, a verifier that was never configured, a scheme that panics. New reports
// every mistake in a configuration, naming the field.
//
// Signatures cover the bytes as they came, never a decoded and re-encoded form.
// The body is read at most once, never past [Config.MaxBody], and only after all
// that can be judged from the headers; the handler then finds it as if nothing
// had happened, or does not run at all.
//
// Secrets are compared in constant time on digests of one length. No error,
// event, log line or response holds a secret or a computed signature.
//
// # Verdicts
//
// A refusal is an [*Error]. errors.Is tells its kind, [Reason] gives a word for
// metrics, [Error.StatusCode] the HTTP status:
//
//	missing malformed stale mismatch inactive  401
//	scope                                      403
//	too_large                                  413
//	body_unreadable                            400
//	duplicate conflict                         409, or by Replay.Duplicate
//	attempts                                   429
//	in_flight unavailable                      503, with Retry-After
//	body_consumed misconfigured internal       500
//
// Which of several faults a request is refused for is fixed: signature header,
// timestamp, message id, form of the signature, body, signature, the time again
// where there is a replay guard, and at last what the guard finds.
//
// # Each delivery once
//
// With [Config.Replay] a request that passed claims its message in a store
// before the handler runs, and is settled by the handler's answer: a 2xx marks it
// as done, anything else gives it back, so that the sender's retry is let in.
// Copies never run the handler a second time. The adapters settle; whoever calls
// Check calls Settle too. Package replay has the protocol and its limits.
//
// # What it does not do
//
// It does not decrypt, decode or validate the message, and leaves methods and
// routes to the router. A signature with a timestamp bounds for how long a
// captured request can be sent again; within the window only Config.Replay stops
// it. A static token does not even bound it, and protects neither the body nor the
// rest of the request: that is TLS's part. Slow clients are the server's part:
// set http.Server.ReadTimeout.
package verify

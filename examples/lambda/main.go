// Command lambda verifies webhooks in an AWS Lambda function behind an API Gateway
// HTTP API (payload format 2.0) or a function URL, under Vapi's default HMAC plan.
// Here it reads one event from standard input and prints the answer, so that it runs
// without AWS:
//
//	export WEBHOOK_KEY=secret; BODY='{"message":{"type":"hang"}}'; TS=$(date +%s)
//	SIG=$(printf '%s.%s' "$TS" "$BODY" | openssl dgst -sha256 -hmac "$WEBHOOK_KEY" | sed 's/^.* //')
//	printf '{"version":"2.0","rawPath":"/webhook","headers":{"x-timestamp":"%s","x-signature":"%s"},
//	  "requestContext":{"http":{"method":"POST"}},"body":"%s","isBase64Encoded":true}' \
//	  "$TS" "$SIG" "$(printf %s "$BODY" | base64)" | go run ./examples/lambda
//
// In AWS main ends in lambda.Start(f.handle), with github.com/aws/aws-lambda-go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/vapi"
)

func main() {
	if err := run(context.Background(), os.Getenv("WEBHOOK_KEY"), os.Stdin, os.Stdout); err != nil {
		log.Fatal(err) // an unset key ends here
	}
}

// run answers one event.
func run(ctx context.Context, key string, in io.Reader, out io.Writer) error {
	f, err := newFunction(verify.Config{Accept: verify.HMAC{Keys: verify.Static(key)}}, webhook)
	if err != nil {
		return err
	}
	var e event
	if err := json.NewDecoder(in).Decode(&e); err != nil {
		return fmt.Errorf("the event: %w", err)
	}
	a, err := f.handle(ctx, e)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

// function is made once for each instance, outside the handler.
//
// Each invocation may meet another instance, so replay.NewMemory would remember next
// to nothing: to let each delivery through once set Config.Replay with a shared
// store, redisstore or sqlstore. handle is ready for it.
type function struct {
	verifier *verify.Verifier
	work     func(ctx context.Context, body []byte) answer
}

func newFunction(cfg verify.Config, work func(context.Context, []byte) answer) (*function, error) {
	v, err := verify.New(cfg)
	if err != nil {
		return nil, err
	}
	return &function{verifier: v, work: work}, nil
}

// handle verifies an event and hands a genuine one to work. Its error is always nil:
// API Gateway would answer an error with a 500 of its own.
func (f *function) handle(ctx context.Context, e event) (answer, error) {
	body, err := e.bytes()
	if err != nil {
		slog.WarnContext(ctx, "unusable event", "error", err)
		return answer{StatusCode: http.StatusBadRequest}, nil
	}
	res, err := f.verifier.CheckMessage(ctx, e.message(body))
	if err != nil {
		slog.InfoContext(ctx, "refused", "reason", verify.Reason(err), "error", err)
		return refuse(f.verifier, verify.Refusal(err)), nil
	}
	var a answer // a panic leaves its status 0, which gives the message back
	defer func() {
		kept := verify.Answer{Status: a.StatusCode, ContentType: a.Headers[contentType], Body: []byte(a.Body)}
		if err := f.verifier.SettleAnswer(ctx, res, kept); err != nil {
			slog.ErrorContext(ctx, "settle", "error", err)
		}
	}()
	a = f.work(verify.NewContext(ctx, res), body)
	return a, nil
}

// webhook is the work. It runs for genuine messages only.
func webhook(ctx context.Context, body []byte) answer {
	message, err := vapi.ParseEnvelope(body)
	if err != nil {
		slog.WarnContext(ctx, "webhook", "error", err)
	}
	who, _ := verify.FromContext(ctx)
	slog.InfoContext(ctx, "webhook", "verified", who, "type", message.Type)
	return answer{StatusCode: http.StatusOK, Headers: map[string]string{contentType: "application/json"}, Body: "{}"}
}

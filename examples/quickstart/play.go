package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

//go:embed bodies
var bodies embed.FS

// message gives a sample body, byte for byte.
func message(name string) []byte {
	body, err := bodies.ReadFile("bodies/" + name + ".json")
	if err != nil {
		panic(err) // the names are in this file, the bodies in the binary
	}
	return body
}

// stage is where the play takes place.
type stage struct {
	base    string // of the server's addresses
	client  *http.Client
	journal *journal
}

// play sends every step and collects what came of it.
func play(ctx context.Context, base string, steps []step, journal *journal) ([]outcome, error) {
	s := stage{base, &http.Client{Timeout: 10 * time.Second}, journal}
	defer s.client.CloseIdleConnections()
	outcomes := make([]outcome, len(steps))
	errs := make([]error, len(steps))
	var before *http.Request
	for i := 0; i < len(steps); i++ {
		r, err := s.prepare(ctx, steps, i, before)
		if err != nil {
			return nil, err
		}
		if steps[i].spoil == nil {
			before = r // what is spoilt on its way does not change the sender's copy
		}
		if i+1 < len(steps) && steps[i+1].how.meanwhile {
			ended := make(chan struct{})
			go func() {
				outcomes[i], errs[i] = s.send(r, steps[i], strconv.Itoa(i))
				close(ended)
			}()
			if !journal.await(ctx, strconv.Itoa(i)) {
				return nil, ctx.Err()
			}
			copied, err := s.prepare(ctx, steps, i+1, before)
			if err != nil {
				return nil, err
			}
			outcomes[i+1], errs[i+1] = s.send(copied, steps[i+1], strconv.Itoa(i+1))
			<-ended
			i++
		} else {
			outcomes[i], errs[i] = s.send(r, steps[i], strconv.Itoa(i))
		}
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// prepare makes the request of a step: signed anew, or the one before once more.
func (s stage) prepare(ctx context.Context, steps []step, i int, before *http.Request) (*http.Request, error) {
	step := steps[i]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+step.route, nil)
	if err != nil {
		return nil, err
	}
	if step.how.again {
		r.Header = before.Header.Clone()
		body, err := before.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body, r.ContentLength, r.GetBody = body, before.ContentLength, before.GetBody
	} else {
		setBody(r, message(step.message))
		r.Header.Set("Content-Type", "application/json")
		if err := step.signer.Sign(r); err != nil {
			return nil, err
		}
	}
	r.Header.Set(labelHeader, strconv.Itoa(i))
	r.Header.Del(handlerHeader)
	if step.how.fails {
		r.Header.Set(handlerHeader, "fail")
	}
	if i+1 < len(steps) && steps[i+1].how.meanwhile {
		r.Header.Set(handlerHeader, strconv.Itoa(i+1)) // wait for its verdict
	}
	if step.spoil != nil {
		step.spoil(r)
	}
	return r, nil
}

func (s stage) send(r *http.Request, step step, label string) (outcome, error) {
	answer, err := s.client.Do(r)
	if err != nil {
		return outcome{}, fmt.Errorf("%s, %s: %w", step.route, step.sent, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return outcome{}, fmt.Errorf("%s, %s: %w", step.route, step.sent, err)
	}
	event, seen := s.journal.event(label)
	if !seen {
		return outcome{}, fmt.Errorf("%s, %s: status %d, but no verdict was observed", step.route, step.sent, answer.StatusCode)
	}
	return outcome{step, answer.StatusCode, string(body), event}, nil
}

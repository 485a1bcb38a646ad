package sqlstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// TestK08ClaimTxInHandler: behind the middleware, with the claim that it holds, the
// effect and the mark commit together, whatever becomes of the handler afterwards.
func TestK08ClaimTxInHandler(t *testing.T) {
	const key = "end-to-end-key-of-the-tests"
	store, db := start(t, sqlstore.Config{})
	exec(t, db, `CREATE TABLE effects (body text)`)
	var settled []verify.Settlement
	v, err := verify.New(verify.Config{
		Accept: verify.HMAC{Keys: verify.Static(key)},
		Replay: verify.Replay{Store: store, Scope: "orders", Timeout: replay.DefaultTimeout * 4, OnSettle: func(_ context.Context, s verify.Settlement) {
			settled = append(settled, s)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	effect := func(r *http.Request, body string, commit bool) error {
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		res, _ := verify.FromContext(r.Context())
		out, err := store.ClaimTx(r.Context(), tx, res.Claim)
		if err != nil || out.Status != replay.Acquired {
			return errors.Join(errors.New(out.Status.String()), err)
		}
		if _, err := tx.ExecContext(r.Context(), `INSERT INTO effects VALUES ($1)`, body); err != nil || !commit {
			return err
		}
		return tx.Commit()
	}
	for _, tt := range []struct {
		name           string
		commit, panics bool
		first, second  int // statuses; 0 for a panic
		effects        int
		err            error // of settling the first
	}{
		{"commits and answers", true, false, 200, 409, 1, nil},
		{"commits and panics", true, true, 0, 409, 1, replay.ErrLostLease}, // done is done: it is not given back
		{"rolls back and panics", false, true, 0, 0, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			handler := verifyhttp.Middleware(v)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := effect(r, tt.name, tt.commit); err != nil {
					t.Error(err)
				}
				if tt.panics {
					panic("crash")
				}
			}))
			signed := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.name))
			if err := (verifytest.HMAC{SecretKey: key}).Sign(signed); err != nil {
				t.Fatal(err)
			}
			send := func() (status int) {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.name))
				r.Header = signed.Header.Clone()
				w := httptest.NewRecorder()
				defer func() {
					if recover() != nil {
						status = 0
					}
				}()
				handler.ServeHTTP(w, r)
				return w.Code
			}
			settled = nil
			if got := send(); got != tt.first {
				t.Errorf("the first is answered %d, want %d", got, tt.first)
			}
			if len(settled) != 1 || !errors.Is(settled[0].Err, tt.err) {
				t.Errorf("settled %+v, want error %v", settled, tt.err)
			}
			if got := send(); got != tt.second {
				t.Errorf("the second is answered %d, want %d", got, tt.second)
			}
			if got := count(t, db, `SELECT count(*) FROM effects WHERE body = $1`, tt.name); got != tt.effects {
				t.Errorf("%d effects, want %d", got, tt.effects)
			}
		})
	}
}

// The quickstart's replays end on PostgreSQL as they do in memory.
func TestQuickstart(t *testing.T) {
	server := testserver.StartPostgres(t)
	quickstart := osexec.Command("go", "run", "../../examples/quickstart", "-once", "-addr", "127.0.0.1:0", "-postgres", server.DSN)
	if out, err := quickstart.CombinedOutput(); err != nil || !strings.Contains(string(out), " as expected, 0 not") {
		t.Fatalf("%v\n%s", err, out)
	}
	if count(t, open(t, server.DSN), `SELECT count(*) FROM webhook_replay`) == 0 {
		t.Error("it did not use the server")
	}
}

package verifytest_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

func Example() {
	clock := verifytest.NewClock(time.Unix(1767225600, 0))
	v, _ := verify.New(verify.Config{
		Accept: verify.HMAC{Keys: verify.Static("test key")},
		Now:    clock.Now,
	})
	r := httptest.NewRequest("POST", "/webhook", strings.NewReader(`{"message":{}}`))
	err := verifytest.HMAC{SecretKey: "test key", Now: clock.Now}.Sign(r)
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = v.Check(r)
	fmt.Println("now:", verify.Reason(err))
	clock.Advance(6 * time.Minute)
	_, err = v.Check(r)
	fmt.Println("six minutes later:", verify.Reason(err))
	// Output:
	// now: ok
	// six minutes later: stale
}

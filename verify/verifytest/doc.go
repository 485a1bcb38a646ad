// Package verifytest signs requests the way Vapi does, so that a handler can be
// tested with its verification switched on:
//
//	clock := verifytest.NewClock(time.Unix(1767225600, 0))
//	v, _ := verify.New(verify.Config{
//		Accept: verify.HMAC{Keys: verify.Static("test key")},
//		Now:    clock.Now,
//	})
//	r := httptest.NewRequest("POST", "/webhook", strings.NewReader(`{"message":{}}`))
//	err := verifytest.HMAC{SecretKey: "test key", Now: clock.Now}.Sign(r)
//
// A Signer is written in the words of Vapi's credential plan. It shares no code
// with package verify, so that one cannot hide a mistake of the other.
package verifytest

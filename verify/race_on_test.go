//go:build race

package verify_test

// raceEnabled tells that the race detector is on, which allocates on its own.
const raceEnabled = true

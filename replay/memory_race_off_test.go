//go:build !race

package replay_test

// memoryMost is the maximum that TestK24Maximum reaches.
const memoryMost = 1_000_000

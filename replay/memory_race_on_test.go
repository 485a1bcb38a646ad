//go:build race

package replay_test

// memoryMost is smaller where each access to memory takes ten times as long.
const memoryMost = 100_000

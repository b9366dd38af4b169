package policy_test

import (
	"testing"

	"tandem/internal/policy"
)

func BenchmarkDecide(b *testing.B) {
	s, o, now := account(policy.Publisher), granted(policy.Read), noon()
	for b.Loop() {
		if !policy.Decide(s, policy.ReadFile, o, now).Allow {
			b.Fatal("refused")
		}
	}
}

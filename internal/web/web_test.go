package web

import "testing"

func TestProofsOfTwoLinksDoNotMeet(t *testing.T) {
	if ProofCookie("a") == ProofCookie("b") {
		t.Error("one cookie for two links")
	}
}

package dht

import (
	"testing"
	"time"
)

func TestLookupsAreQuickWhileFewPeersAreKnown(t *testing.T) {
	r := rhythm{first: firstPause, node: nodePause, announce: true}
	now := time.Unix(0, 0)
	for i, want := range []time.Duration{3, 6, 12, 24, 48, 96, 192, 300, 300} {
		r.done(outcome{nodes: 8, peers: 1, announced: true}, now)
		if got := r.pause(); got != want*time.Second {
			t.Fatalf("pause %d is %v", i, got)
		}
	}
	r.done(outcome{nodes: 8, peers: 50}, now)
	if got := r.pause(); got != lastPause {
		t.Fatalf("with many peers: %v", got)
	}
}

func TestWithoutNodesItIsTriedAgainSoon(t *testing.T) {
	r := rhythm{first: firstPause, node: nodePause, announce: true}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		r.done(outcome{}, time.Unix(0, 0))
		if got := r.pause(); got != want*time.Second {
			t.Fatalf("pause %d is %v", i, got)
		}
	}
	if !r.fewNodes || !r.announceNow(time.Unix(0, 0)) {
		t.Fatal("a new node would not be told")
	}
}

func TestAnnouncesAreRenewedEvery15Minutes(t *testing.T) {
	r := rhythm{announce: true}
	now := time.Unix(1000, 0)
	if !r.announceNow(now) {
		t.Fatal("the first lookup does not announce")
	}
	r.done(outcome{nodes: 8, announced: true}, now)
	if r.announceNow(now.Add(14 * time.Minute)) {
		t.Fatal("announced again after 14 minutes")
	}
	if !r.announceNow(now.Add(15 * time.Minute)) {
		t.Fatal("not announced again after 15 minutes")
	}
	r.done(outcome{nodes: 2, announced: true}, now)
	if !r.announceNow(now.Add(time.Second)) {
		t.Fatal("an announce that reached two nodes was taken for enough")
	}
	looks := rhythm{}
	if looks.announceNow(now) {
		t.Fatal("who only looks announced")
	}
}

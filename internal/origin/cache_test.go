package origin

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestCache(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		gen  int64
		at   time.Time
		want bool
	}{
		{"an answer is remembered", 1, now, true},
		{"until it is too old", 1, now.Add(time.Second - 1), true},
		{"but no longer", 1, now.Add(time.Second), false},
		{"nor after an Update", 2, now, false},
		{"nor after the clock was set back", 1, now.Add(-1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newCache[string, int](time.Second, 10)
			k.put("a", 7, 1, now)
			v, ok := k.get("a", c.gen, c.at)
			if ok != c.want || ok && v != 7 {
				t.Fatalf("got %d, %v", v, ok)
			}
			if _, ok := k.get("b", c.gen, c.at); ok {
				t.Fatal("remembers what was never put")
			}
		})
	}
}

func TestCacheIsBoundedAndForgetsTheOldestFirst(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	k := newCache[int, int](time.Second, 100)
	for i := range 10_000 {
		k.put(i, i, 1, now)
		if n := len(k.young) + len(k.old); n > 100 {
			t.Fatalf("%d answers", n)
		}
		if v, ok := k.get(max(0, i-49), 1, now); !ok || v != max(0, i-49) {
			t.Fatalf("at %d: forgot a young one", i)
		}
	}
	if _, ok := k.get(0, 1, now); ok {
		t.Fatal("remembers the oldest")
	}
	one := newCache[int, int](time.Second, 1)
	one.put(1, 1, 1, now)
	one.put(2, 2, 1, now)
	if _, ok := one.get(2, 1, now); !ok {
		t.Fatal("the last is forgotten")
	}
}

func TestWhatManyAskForAtOnceIsLookedUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newCache[string, int](time.Second, 10)
		looked, got := 0, make(chan int, 50)
		slow := make(chan struct{})
		now := time.Now()
		for range cap(got) {
			go func() {
				v, done := k.turn(t.Context(), "a", 1, now)
				if done != nil {
					defer done()
					looked++ // by one at a time, or the race detector tells
					<-slow
					v = 7
					k.put("a", v, 1, now)
				}
				got <- v
			}()
		}
		synctest.Wait()
		close(slow)
		for range cap(got) {
			if v := <-got; v != 7 {
				t.Errorf("got %d", v)
			}
		}
		if looked != 1 {
			t.Errorf("looked up %d times", looked)
		}
	})
}

func TestWhoWaitsForAnAnswerThatDoesNotComeLooksItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newCache[string, int](time.Second, 10)
		_, fails := k.turn(t.Context(), "a", 1, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		tired, patient := make(chan func(), 1), make(chan func(), 1)
		go func() {
			_, done := k.turn(ctx, "a", 1, time.Now())
			tired <- done
		}()
		go func() {
			_, done := k.turn(t.Context(), "a", 1, time.Now())
			patient <- done
		}()
		synctest.Wait()
		cancel()
		if done := <-tired; done == nil {
			t.Fatal("who gave up has an answer")
		} else {
			done()
		}
		fails() // without an answer
		if done := <-patient; done == nil {
			t.Fatal("there is an answer that nobody put")
		} else {
			done()
		}
		if len(k.finding) > 0 {
			t.Errorf("%d are being looked up", len(k.finding))
		}
	})
}

package blobdir

import (
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestBlobsKeepTheContractWhenThePowerGoes(t *testing.T) {
	for name, noAll := range map[string]bool{"a device can be synced": false, "only files can be synced": true} {
		t.Run(name, func(t *testing.T) {
			var seed atomic.Uint64
			storetest.RunBlobs(t, func(testing.TB) *storetest.BlobPlace {
				s := newSim(seed.Add(1))
				s.noAll = noAll
				return s.place()
			})
		})
	}
}

func (s *simFS) place() *storetest.BlobPlace {
	dead := new(bool) // whether the process that runs was killed
	return &storetest.BlobPlace{
		Open: func() (store.Blobs, error) { return open("sim", simTree{s, dead}, time.Now) },
		Crash: func(_ store.Blobs, power bool) {
			s.mu.Lock()
			*dead = true
			s.locked = false
			s.mu.Unlock()
			if power {
				s.crash()
			}
			dead = new(bool)
		},
		Fail: func(n int, kind fault.Kind) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.left, s.kind, s.failed = n, kind, false
		},
		Mend: func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.left = 0
			return s.failed
		},
		Big: 30_000,
	}
}

package tracker

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

// fake is a UDP tracker made of a function: what it returns is sent back.
func fake(t *testing.T, answer func(packet int, b []byte) [][]byte) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for i := 0; ; i++ {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, out := range answer(i, buf[:n]) {
				conn.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func askUDP(t *testing.T, at string) ([]netip.AddrPort, error) {
	t.Helper()
	u, err := url.Parse("udp://" + at + "/announce")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New([][]string{{u.String()}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.retry = 20 * time.Millisecond
	var found []netip.AddrPort
	_, err = c.announceTo(t.Context(), u, sample, "", func(f discover.Found) { found = append(found, f.Addr) })
	return found, err
}

var somebody = []netip.AddrPort{netip.MustParseAddrPort("1.2.3.4:80")}

// proper answers as a tracker should.
func proper(b []byte) []byte {
	if tx, ok := parseConnect(b); ok {
		return appendConnectReply(nil, tx, 77)
	}
	if id, tx, r, ok := parseAnnounce(b); ok && id == 77 && r == sample {
		return appendAnnounceReply(nil, tx, 1800, 1, 2, somebody)
	}
	return nil
}

func TestLostDatagramsAreSentAgain(t *testing.T) {
	at := fake(t, func(i int, b []byte) [][]byte {
		if i%2 == 0 {
			return nil
		}
		return [][]byte{proper(b)}
	})
	if found, err := askUDP(t, at); err != nil || !slices.Equal(found, somebody) {
		t.Fatal(found, err)
	}
}

func TestForeignAnswersArePassedOver(t *testing.T) {
	at := fake(t, func(_ int, b []byte) [][]byte {
		foreign := proper(b)
		foreign[4] ^= 1 // another transaction
		return [][]byte{{}, {1, 2, 3}, foreign, proper(b)}
	})
	if found, err := askUDP(t, at); err != nil || !slices.Equal(found, somebody) {
		t.Fatal(found, err)
	}
}

func TestASilentTrackerTimesOut(t *testing.T) {
	if _, err := askUDP(t, fake(t, func(int, []byte) [][]byte { return nil })); !errors.Is(err, fault.Timeout) {
		t.Fatal(err)
	}
}

func TestTrackerErrorOverUDP(t *testing.T) {
	at := fake(t, func(_ int, b []byte) [][]byte { return [][]byte{appendError(nil, 0, "x")} })
	if _, err := askUDP(t, at); !errors.Is(err, fault.Timeout) {
		t.Fatal("an error for another transaction was believed:", err)
	}
	at = fake(t, func(_ int, b []byte) [][]byte {
		tx, _ := parseConnect(b)
		return [][]byte{appendError(nil, tx, "go away")}
	})
	if _, err := askUDP(t, at); !errors.Is(err, fault.Refused) {
		t.Fatal(err)
	}
}

package cli

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLinesOfAServersLogAreWrittenTogetherAndWarningsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		a := &app{stderr: &out}
		log, done := a.serverLog(slog.LevelInfo)
		log.Info("one")
		log.Debug("not asked for")
		log.With("a", 1).WithGroup("g").Info("two")
		if out.Len() > 0 {
			t.Fatalf("written before others could come: %q", out.String())
		}
		log.Warn("three")
		if got := out.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "msg=three") || !strings.Contains(got, "a=1") {
			t.Fatalf("with a warning: %q", got)
		}
		out.Reset()
		log.Info("four")
		<-time.After(linesWait)
		synctest.Wait()
		if got := out.String(); !strings.Contains(got, "msg=four") {
			t.Fatalf("after a while: %q", got)
		}
		log.Info("five")
		log.LogAttrs(context.Background(), slog.LevelInfo, strings.Repeat("x", linesSize))
		if got := out.String(); !strings.Contains(got, "msg=five") || out.Len() < linesSize {
			t.Fatalf("%d bytes of much are written", out.Len())
		}
		log.Info("six")
		done()
		if got := out.String(); !strings.HasSuffix(got, "msg=six\n") {
			t.Fatalf("at the end: %q", got[max(0, len(got)-80):])
		}
	})
}

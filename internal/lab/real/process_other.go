//go:build !linux

package real

import (
	"os"
	"os/exec"
	"time"
)

func own(*exec.Cmd)                      {}
func peakMemory(int) int64               { return 0 }
func forgetPeak(int)                     {}
func cpuTime(int) time.Duration          { return 0 }
func written(int) int64                  { return 0 }
func childMemory(*os.ProcessState) int64 { return 0 }

// alive reports whether there is a process of that number. Where that is hard to tell, a
// folder is left rather than taken from somebody.
func alive(pid int) bool { return true }

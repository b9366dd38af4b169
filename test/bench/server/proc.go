package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stat returns the fields of /proc/PID/stat behind the program's name; nil: there is no such process.
func stat(pid int) (name string, fields []string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", nil
	}
	head, rest, _ := strings.Cut(string(text), ") ")
	_, name, _ = strings.Cut(head, "(")
	return name, strings.Fields(rest)
}

// children returns the processes that pid started and that still run.
func children(pid int) (all []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		id, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if _, f := stat(id); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			all = append(all, id)
		}
	}
	return all
}

// childOf finds a program that pid started; 0: there is none.
func childOf(pid int, program string) int {
	for _, id := range children(pid) {
		if name, _ := stat(id); name == program {
			return id
		}
	}
	return 0
}

// cpuOf is what a process and those it started have used, of those that still run. The kernel counts in 1/100 s.
func cpuOf(pid int) time.Duration {
	var ticks int64
	for _, id := range append(children(pid), pid) {
		if _, f := stat(id); len(f) > 12 {
			for _, text := range f[11:13] { // utime, stime
				n, _ := strconv.ParseInt(text, 10, 64)
				ticks += n
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

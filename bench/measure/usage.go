package measure

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// CPUSeconds is the user and system time of processes and all their descendants so far (Linux, 100 ticks a second).
func CPUSeconds(roots []int) float64 {
	type process struct {
		parent int
		ticks  uint64
	}
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		bytes, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		text := string(bytes)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) < 13 {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		parent, _ := strconv.Atoi(fields[1])
		user, _ := strconv.ParseUint(fields[11], 10, 64)
		system, _ := strconv.ParseUint(fields[12], 10, 64)
		all[pid] = process{parent, user + system}
	}
	wanted := map[int]bool{}
	for _, root := range roots {
		wanted[root] = true
	}
	for grew := true; grew; {
		grew = false
		for pid, p := range all {
			if wanted[p.parent] && !wanted[pid] {
				wanted[pid] = true
				grew = true
			}
		}
	}
	var ticks uint64
	for pid := range wanted {
		ticks += all[pid].ticks
	}
	return float64(ticks) / 100
}

// ResidentKib is the memory of processes now, without their descendants' (Linux).
func ResidentKib(pids []int) float64 {
	var sum float64
	for _, pid := range pids {
		bytes, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(bytes), "\n") {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				sum += kib
			}
		}
	}
	return sum
}

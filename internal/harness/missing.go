package harness

import "strings"

// overFiles is in the log of a collector that reads the open files of all processes, because the kernel forbids it to
// read all sockets.
const overFiles = "the kernel forbids programs that iterate over maps"

// Missing returns the lines of a collector's log that say what it works without, but for what no right can give it.
func Missing(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "Something is missing.") && !strings.Contains(line, overFiles) {
			lines = append(lines, line)
		}
	}
	return lines
}

// ReadsFiles reports whether a collector says in its log that it reads only the sockets that have an open file.
func ReadsFiles(log string) bool { return strings.Contains(log, overFiles) }

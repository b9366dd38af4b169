package real

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/units"
)

// folderPrefix begins the names of runs' folders; the owner's process number follows.
const folderPrefix = "tandem-lab-"

// makeFolder makes a folder for a run, whose name says whose it is.
func makeFolder(place string) (string, error) {
	dir, err := os.MkdirTemp(place, folderPrefix+strconv.Itoa(os.Getpid())+"-*")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return "", fault.Wrap(fault.Permission, fmt.Errorf("make a folder for the run, choose another place with --dir or TMPDIR: %w", err))
	}
	return dir, nil
}

// sweepFolders removes the folders of runs whose process is gone. What cannot be removed
// is somebody else's, and stays.
func sweepFolders(place string) {
	names, _ := filepath.Glob(filepath.Join(place, folderPrefix+"*"))
	for _, dir := range names {
		if pid := folderOwner(filepath.Base(dir)); pid > 0 && !alive(pid) {
			_ = os.RemoveAll(dir)
		}
	}
}

// folderOwner reads whose a folder is; 0: nobody's that we know.
func folderOwner(name string) int {
	rest, ok := strings.CutPrefix(name, folderPrefix)
	owner, number, more := strings.Cut(rest, "-")
	if _, err := strconv.ParseUint(number, 10, 64); !ok || !more || err != nil {
		return 0
	}
	pid, err := strconv.ParseInt(owner, 10, 32)
	if err != nil || pid <= 1 || strconv.FormatInt(pid, 10) != owner {
		return 0
	}
	return int(pid)
}

// What a run needs on disk beside the copies: for every node its state, and what a
// server's database and a crash of the estimate take.
const (
	perNode = 1 << 20
	margin  = 32 << 20
)

// needed is how many bytes a run takes on disk: the content, the server's copy of it, and
// one for each receiver; and what a calibration takes.
func needed(s *lab.Scenario) int64 {
	copies := int64(s.N()) + 2
	return copies*(int64(s.Size)+perNode) + 2*limitFlow(float64(s.Origin.Up)) + margin
}

// room refuses a run that the disk has no room for.
func (w World) room(s *lab.Scenario) error {
	free, err := freeSpace(w.place())
	if err != nil {
		return fault.Wrap(fault.NotFound, fmt.Errorf("look for room in %s, choose another place with --dir or TMPDIR: %w", w.place(), err))
	}
	if need := needed(s); free < need {
		return fault.Errorf(fault.Full, "%d copies of %s need %s in %s, where %s is free: make room, or choose another place with --dir or TMPDIR",
			s.N()+2, units.Bytes(int64(s.Size)), units.Bytes(need), w.place(), units.Bytes(free))
	}
	return nil
}

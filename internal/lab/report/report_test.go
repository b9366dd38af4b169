package report

import (
	"testing"

	"tandem/internal/lab"
)

func TestAReportIsWritten(t *testing.T) {
	files, err := Write(t.TempDir(), &lab.Comparison{})
	if err != nil || len(files) == 0 {
		t.Fatalf("Write gave %d files, %v", len(files), err)
	}
}

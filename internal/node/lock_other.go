//go:build !unix

package node

import (
	"fmt"
	"io"
	"os"
)

// lockFile only makes the file: such systems refuse to open the database twice themselves, or
// leave it to the administrator.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", fileFault(err))
	}
	return f, nil
}

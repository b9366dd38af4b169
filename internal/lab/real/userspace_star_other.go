//go:build !linux

package real

import (
	"context"

	"tandem/internal/fault"
)

// newField fails: namespaces are Linux's.
func newField(context.Context) (ground, error) {
	return nil, fault.Errorf(fault.Permission, "network namespaces need Linux")
}

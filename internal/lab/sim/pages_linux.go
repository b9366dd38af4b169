package sim

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// large asks the system to keep a large array on huge pages: a run of a million nodes
// goes all over a gigabyte, and would spend half its time on finding pages.
func large[T any](list []T) []T {
	const least = 2 << 20
	size := uintptr(cap(list)) * unsafe.Sizeof(*new(T))
	if size < least {
		return list
	}
	const page = 4 << 10
	from := uintptr(unsafe.Pointer(unsafe.SliceData(list)))
	skip := -from & (page - 1)
	all := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(list))), size)
	_ = unix.Madvise(all[skip:skip+(size-skip)&^(page-1)], unix.MADV_HUGEPAGE) // a hint
	return list
}

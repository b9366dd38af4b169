package content

// CheckPath checks the path of a file below the destination, whoever named it.
// Errors are of kind fault.Invalid.
func CheckPath(components []string) error { panic("todo") }

// CheckFiles checks the names of all files of a manifest: each path, and that
// no two are the same file and none is a folder of another. Errors are of kind
// fault.Invalid.
func CheckFiles(files []File) error { panic("todo") }

// ComparePaths orders paths as BEP 52 does: component by component, by bytes.
func ComparePaths(a, b []string) int { panic("todo") }

// EscapeComponent returns a name for s that the file system can hold: bytes it
// cannot hold are percent-escaped. It returns s itself when nothing has to be.
// Windows adds the names and characters that Windows refuses.
func EscapeComponent(s string, windows bool) string { panic("todo") }

package lab

// Write writes a scenario as TOML that Read reads back as the same.
func Write(s Scenario) []byte { return nil }

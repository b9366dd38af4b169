package sqlcat

// settings implements catalog.Settings.
type settings struct{ *tx }

func (s settings) Get(key string) (string, error) {
	var v string
	err := s.scan(into{&v}, "SELECT value FROM settings WHERE name = ?", key)
	return v, about(err, "setting %q", key)
}

func (s settings) Set(key, value string) error {
	if value == "" {
		_, err := s.exec("DELETE FROM settings WHERE name = ?", key)
		return err
	}
	_, err := s.exec(`INSERT INTO settings (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, key, value)
	return about(err, "setting %q", key)
}

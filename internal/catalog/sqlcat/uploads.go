package sqlcat

import (
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

type uploads struct{ *tx }

func newUploads(t *tx) catalog.Uploads { return uploads{t} }

const uploadColumns = `id, usr, via, collection, path, size, want, modified, if_absent, renames, created, updated, expires, arrived, state, epoch, node`

func readUpload(r row, u *catalog.Upload) error {
	var path string
	err := r.to(&u.ID, &u.User, &u.Via, &u.Collection, &path, &u.Size, &u.Want, &u.Modified, &u.IfAbsent, &u.Rename,
		&u.Created, &u.Updated, &u.Expires, &u.Offset, &u.State, &u.Epoch, &u.Node)
	u.Path = strings.Split(path, "/")
	return err
}

// joinPath writes names in a row; none of them holds a separator.
func joinPath(names []string) string { return strings.Join(names, "/") }

// CreateUpload implements catalog.Uploads.
func (t uploads) CreateUpload(u catalog.Upload) error {
	if len(u.Path) == 0 || u.Size < 0 || u.Offset < 0 || u.Offset > u.Size {
		return fault.Errorf(fault.Invalid, "upload %s: of %d bytes to %q", u.ID, u.Size, joinPath(u.Path))
	}
	n, err := t.exec(`INSERT INTO uploads (`+uploadColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		u.ID, u.User, u.Via, u.Collection, joinPath(u.Path), u.Size, u.Want, u.Modified, u.IfAbsent, u.Rename,
		u.Created, u.Updated, u.Expires, u.Offset, u.State, u.Epoch, u.Node)
	if err == nil && n == 0 {
		err = errExists
	}
	return about(err, "upload %s", u.ID)
}

// Upload implements catalog.Uploads.
func (t uploads) Upload(id string) (catalog.Upload, error) {
	u, err := one(t.tx, readUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = ?`, id)
	return u, about(err, "upload %s", id)
}

// Take implements catalog.Uploads. A finished upload has no writer any more and
// is returned as it is.
func (t uploads) Take(id string, now time.Time) (catalog.Upload, error) {
	if _, err := t.exec(`UPDATE uploads SET epoch = epoch + 1, updated = ? WHERE id = ? AND node IS NULL`, now, id); err != nil {
		return catalog.Upload{}, err
	}
	return t.Upload(id)
}

// writing returns the upload if epoch may still write it.
func (t uploads) writing(id string, epoch int64) (catalog.Upload, error) {
	u, err := t.Upload(id)
	switch {
	case err != nil:
	case u.Node != 0:
		err = fault.Errorf(fault.Busy, "upload %s: finished", id)
	case u.Epoch != epoch:
		err = fault.Errorf(fault.Busy, "upload %s: somebody else writes it now", id)
	}
	return u, err
}

// Save implements catalog.Uploads. The time in which bytes arrived does not
// count as waiting: the upload expires that much later.
func (t uploads) Save(id string, epoch, offset int64, state []byte, now time.Time) error {
	u, err := t.writing(id, epoch)
	if err != nil {
		return err
	}
	if offset < 0 || offset > u.Size {
		return fault.Errorf(fault.Invalid, "upload %s: offset %d of %d", id, offset, u.Size)
	}
	if offset > u.Offset && now.After(u.Updated) {
		u.Expires = u.Expires.Add(now.Sub(u.Updated))
	}
	return t.must(`UPDATE uploads SET arrived = ?, state = ?, updated = ?, expires = ? WHERE id = ?`, offset, state, now, u.Expires, id)
}

// Finish implements catalog.Uploads.
func (t uploads) Finish(id string, epoch int64, node catalog.NodeID, now time.Time) error {
	if _, err := t.writing(id, epoch); err != nil {
		return err
	}
	if node == 0 {
		return fault.Errorf(fault.Invalid, "upload %s: became nothing", id)
	}
	return t.must(`UPDATE uploads SET arrived = size, state = NULL, updated = ?, node = ? WHERE id = ?`, now, node, id)
}

// DeleteUpload implements catalog.Uploads.
func (t uploads) DeleteUpload(id string) error {
	return about(t.must(`DELETE FROM uploads WHERE id = ?`, id), "upload %s", id)
}

// ExpiredUploads implements catalog.Uploads.
func (t uploads) ExpiredUploads(now time.Time, limit int) ([]catalog.Upload, error) {
	return list(t.tx, readUpload, `SELECT `+uploadColumns+` FROM uploads WHERE expires <= ? ORDER BY expires, id LIMIT ?`, now, max(limit, 0))
}

// UploadsOf implements catalog.Uploads.
func (t uploads) UploadsOf(user catalog.UserID) ([]catalog.Upload, error) {
	return list(t.tx, readUpload, `SELECT `+uploadColumns+` FROM uploads WHERE usr = ? AND node IS NULL ORDER BY created, id`, user)
}

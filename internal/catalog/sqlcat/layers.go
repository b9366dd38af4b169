package sqlcat

import (
	"tandem/internal/content"
	"tandem/internal/fault"
)

// layers implements catalog.Layers.
type layers struct{ *tx }

func (t layers) Layer(root content.Hash, pieceLength int64) ([]byte, error) {
	var layer []byte
	err := t.scan(into{&layer}, `SELECT layer FROM layers WHERE root = ? AND piece = ?`, root, pieceLength)
	return layer, aboutContent(err, root)
}

func (t layers) SetLayer(root content.Hash, pieceLength int64, layer []byte) error {
	if len(layer) == 0 || len(layer)%len(content.Hash{}) != 0 {
		return fault.Errorf(fault.Invalid, "content %x: a piece layer of %d bytes", root[:4], len(layer))
	}
	if _, err := contents(t).Content(root); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO layers (root, piece, layer) VALUES (?, ?, ?)
		ON CONFLICT (root, piece) DO UPDATE SET layer = excluded.layer`, root, pieceLength, layer)
	return aboutContent(err, root)
}

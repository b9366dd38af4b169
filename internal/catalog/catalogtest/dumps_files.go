package catalogtest

import (
	"errors"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// fillFiles puts something into the tables of files.
func fillFiles(t *testing.T, c catalog.Catalog, owner catalog.UserID) {
	sum := content.FileSum{Root: hash(1), SHA256: hash(2), Size: 17}
	var photos catalog.Collection
	var file catalog.Node
	update(t, c, func(tx *catalog.Tx) (err error) {
		photos, err = tx.Collections.CreateCollection(catalog.Collection{Name: "Photos", Owner: owner, Quota: 1 << 40, Created: day()})
		if err != nil {
			return err
		}
		folder, err := tx.Tree.MakeFolder(photos.Root, "2026", day())
		if err != nil {
			return err
		}
		if _, err = tx.Contents.Claim(sum, day()); err != nil {
			return err
		}
		if err = tx.Contents.SetReady(sum.Root, day()); err != nil {
			return err
		}
		v := catalog.Version{Sum: sum, By: owner, Modified: day(), Created: day()}
		for range 2 {
			if file, err = tx.Tree.PutFile(folder.ID, "<é>.jpg", v); err != nil {
				return err
			}
			v.Created = v.Created.Add(time.Hour)
		}
		gone, err := tx.Tree.MakeFolder(photos.Root, "gone", day())
		return errors.Join(err,
			tx.Tree.Trash(gone.ID, owner, day()),
			tx.Collections.SetGrant(catalog.Grant{Collection: photos.ID, User: owner + 1, Rights: policy.Read, NotAfter: day()}),
		)
	})
	update(t, c, func(tx *catalog.Tx) error {
		up := catalog.Upload{
			ID: "abc123", User: owner, Collection: photos.ID, Path: []string{"a", "b"}, Size: 100,
			Created: day(), Updated: day(), Expires: day().Add(time.Hour), State: []byte{0, 1, 0xff},
		}
		bare := up
		bare.ID, bare.State, bare.Size = "def456", []byte{}, 0
		share := catalog.Link{Token: "tok1", Kind: catalog.ShareLink, Node: file.ID, Audience: peer.Link, By: owner, Created: day(), MaxDownloads: 3}
		public := catalog.Link{Token: "tok2", Kind: catalog.ShareLink, Node: file.ID, Audience: peer.Public, By: owner, Created: day()}
		limited, err := tx.Links.CreateLink(share)
		if err != nil {
			return err
		}
		open, err := tx.Links.CreateLink(public)
		return errors.Join(err,
			tx.Quotas.Reserve(owner, photos.ID, up.Size),
			tx.Uploads.CreateUpload(up),
			tx.Uploads.CreateUpload(bare),
			tx.Links.BeginDownload(limited, "192.0.2.7", 17, day(), day().Add(time.Hour)),
			tx.Links.SetTorrent(open, catalog.TorrentMade, []byte("d4:info\x00\xffe"), catalog.Metadata{Share: hash(7), V1: content.SHA1{7, 8}, Print: hash(8), Total: 17}),
		)
	})
}

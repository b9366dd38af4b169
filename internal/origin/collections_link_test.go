package origin

import (
	"testing"

	"tandem/internal/fault"
)

// A link's holder is no account: by name there is no collection, not even the
// one that the link leads into.
func TestALinkKnowsNoCollectionByName(t *testing.T) {
	d := newDesk(t)
	d.put("pub/a.txt", "a")
	c := d.by(d.share("pub", nil))
	_, err := d.Collection(d.ctx, c, "c")
	want(t, err, fault.NotFound)
	_, err = d.UpdateCollection(d.ctx, c, "c", CollectionChange{})
	want(t, err, fault.NotFound)
	want(t, d.DeleteCollection(d.ctx, c, "c"), fault.NotFound)
	_, err = d.Grants(d.ctx, c, "c")
	want(t, err, fault.NotFound)
	want(t, d.SetGrant(d.ctx, c, "c", GrantView{Subject: "ann"}), fault.NotFound)
}

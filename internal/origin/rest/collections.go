package rest

import (
	"math"
	"net/http"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

func (x *exchange) collections() error {
	all, err := x.h.cfg.Server.Collections(x.r.Context(), x.caller)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, collectionShape))
}

func (x *exchange) createCollection() error {
	var in api.CollectionChange
	if err := x.decode(&in); err != nil {
		return err
	}
	if in.Name == nil || in.Quota != nil || in.KeepTrash != nil || in.KeepVersions != nil {
		return fault.Errorf(fault.Invalid, "a new collection has a name, and nothing else yet")
	}
	v, err := x.h.cfg.Server.CreateCollection(x.r.Context(), x.caller, *in.Name)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, collectionShape(v))
}

func (x *exchange) collection() error {
	v, err := x.h.cfg.Server.Collection(x.r.Context(), x.caller, x.r.PathValue("collection"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, collectionShape(v))
}

func (x *exchange) updateCollection() error {
	var in api.CollectionChange
	if err := x.decode(&in); err != nil {
		return err
	}
	change := origin.CollectionChange{Name: in.Name, Quota: in.Quota}
	var err error
	if change.KeepTrash, err = seconds("keep_trash", in.KeepTrash); err != nil {
		return err
	}
	if change.KeepVersions, err = seconds("keep_versions", in.KeepVersions); err != nil {
		return err
	}
	v, err := x.h.cfg.Server.UpdateCollection(x.r.Context(), x.caller, x.r.PathValue("collection"), change)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, collectionShape(v))
}

func seconds(name string, n *int64) (*time.Duration, error) {
	if n == nil {
		return nil, nil
	}
	if *n < 0 || *n > int64(math.MaxInt64/time.Second) {
		return nil, fault.Errorf(fault.Invalid, "%s is no number of seconds: %d", name, *n)
	}
	d := time.Duration(*n) * time.Second
	return &d, nil
}

func (x *exchange) deleteCollection() error {
	if err := x.h.cfg.Server.DeleteCollection(x.r.Context(), x.caller, x.r.PathValue("collection")); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) search() error {
	limit, err := limitOf(x.r)
	if err != nil {
		return err
	}
	q := x.r.URL.Query()
	found, err := x.h.cfg.Server.Search(x.r.Context(), x.caller, q.Get("collection"), q.Get("q"), limit)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(found, func(f origin.Found) api.Found {
		return api.Found{Collection: f.Collection, Entry: entryShape(f.Entry)}
	}))
}

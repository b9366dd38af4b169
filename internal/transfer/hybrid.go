package transfer

// UseSwarm says whether peers that are not near are to be connected to. A transfer
// via both begins without them when it has an origin that answers, and with them
// when it has none.
func (t *Transfer) UseSwarm(on bool) {}

// SpareOrigin says that origins are to be asked only for what no peer has.
func (t *Transfer) SpareOrigin(on bool) {}

// Spread passes a signed document on to connected peers and judges every connection
// again: after it, and after the guard has changed its mind for any other reason.
// nil spreads nothing.
func (t *Transfer) Spread(doc []byte) {}

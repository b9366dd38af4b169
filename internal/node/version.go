package node

// Version of tandem.
const Version = "0.1.0"

// peerIDPrefix says in BitTorrent peer IDs which client we are.
const peerIDPrefix = "-TD0100-"

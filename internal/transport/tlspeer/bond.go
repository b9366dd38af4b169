package tlspeer

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// sealLabel keeps the key of a sealed document apart from the proofs.
const sealLabel = "tandem/1 document"

// maxSealed bounds a sealed document: it is longer than what it holds by a tag.
const maxSealed = capability.MaxSize + 16

// bond is what both sides of one TLS session know of a share they both hold.
type bond struct {
	secret         transport.Secret
	audience       peer.Audience
	exporter       []byte
	client, server peer.ID
}

// hello makes the client's frame.
func (b bond) hello(key content.SHA1, guarded bool, doc []byte) hello {
	h := hello{Key: key, Guarded: guarded}
	if guarded {
		h.Sealed = b.seal(doc)
	}
	h.Proof = b.prove(h)
	return h
}

// labels are those of the client's and the server's proof.
func (b bond) labels() (client, server string) {
	if b.audience == peer.Network {
		return networkClientLabel, networkServerLabel
	}
	return clientLabel, serverLabel
}

// prove returns the proof that belongs into h.
func (b bond) prove(h hello) proof {
	label, _ := b.labels()
	if !h.Guarded {
		return prove(b.secret, label, b.exporter, b.client, b.server)
	}
	return prove(b.secret, label, b.exporter, b.client, b.server, h.Sealed)
}

// ready makes the server's frame.
func (b bond) ready(guarded bool, doc []byte) ready {
	_, label := b.labels()
	if !guarded {
		return ready{Proof: prove(b.secret, label, b.exporter, b.client, b.server)}
	}
	if len(doc) > capability.MaxSize {
		doc = nil // nothing a guard would take
	}
	return ready{prove(b.secret, label, b.exporter, b.client, b.server, doc), true, doc}
}

// judge decides about a client that has proven the secret, and returns what it showed: nil
// where nothing was asked for.
func (b bond) judge(share transport.Share, h hello) ([]byte, transport.Refusal, error) {
	if share.Guard == nil {
		return nil, 0, nil
	}
	var doc []byte
	if h.Guarded {
		var err error
		if doc, err = b.open(h.Sealed); err != nil {
			return nil, transport.NotShared, err
		}
	}
	say, err := share.Judge(b.client, h.Guarded, doc)
	if err != nil {
		return nil, say, err
	}
	return doc, 0, nil
}

// seal encrypts the client's document, which names the share and its server, and is sent
// before the server has proven anything. The key is for this one message.
func (b bond) seal(doc []byte) []byte {
	if len(doc) > capability.MaxSize {
		doc = nil // nothing a guard would take
	}
	aead := b.sealer()
	return aead.Seal(nil, make([]byte, aead.NonceSize()), doc, nil)
}

func (b bond) open(sealed []byte) ([]byte, error) {
	aead := b.sealer()
	doc, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, nil)
	if err != nil { // though its proof was right
		return nil, fault.Errorf(fault.Protocol, "hello: sealed document: %w", err)
	}
	return doc, nil
}

func (b bond) sealer() cipher.AEAD {
	key := prove(b.secret, sealLabel, b.exporter, b.client, b.server)
	block, err := aes.NewCipher(key[:])
	if err != nil { // never for a key of 32 bytes
		panic("tlspeer: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil { // never for AES
		panic("tlspeer: " + err.Error())
	}
	return aead
}

// appendDoc writes a length of two bytes and the document.
func appendDoc(dst, doc []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(doc)))
	return append(dst, doc...)
}

// parseDoc reads what appendDoc wrote, to the end of b. It never returns nil without an
// error.
func parseDoc(b []byte, limit int) ([]byte, error) {
	if len(b) < 2 {
		return nil, fault.Errorf(fault.Protocol, "document is cut short")
	}
	n := int(binary.BigEndian.Uint16(b))
	if n != len(b)-2 || n > limit {
		return nil, fault.Errorf(fault.Protocol, "document of %d bytes, %d there, at most %d", n, len(b)-2, limit)
	}
	return b[2:], nil
}

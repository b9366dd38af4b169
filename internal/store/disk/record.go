package disk

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"tandem/internal/fault"
)

// The record of finished files, version 1: magic, version (2 bytes), zero (2),
// count (4), then by file its number (4), size, time of change in ns and inode (8
// each), and the CRC-32C of all before (4). Numbers are big-endian, files ascend.
// A finished file that is still as recorded need not be hashed again.
const (
	recordMagic   = "tandemFN"
	recordVersion = 1
	recordHeader  = 16
	recordEntry   = 28
)

type finished struct {
	file int
	id   identity
}

func encodeRecord(list []finished) []byte {
	p := make([]byte, 0, recordHeader+len(list)*recordEntry+4)
	p = append(p, recordMagic...)
	p = binary.BigEndian.AppendUint16(p, recordVersion)
	p = append(p, 0, 0)
	p = binary.BigEndian.AppendUint32(p, uint32(len(list)))
	for _, f := range list {
		p = binary.BigEndian.AppendUint32(p, uint32(f.file))
		p = binary.BigEndian.AppendUint64(p, uint64(f.id.size))
		p = binary.BigEndian.AppendUint64(p, uint64(f.id.mtime))
		p = binary.BigEndian.AppendUint64(p, f.id.inode)
	}
	return binary.BigEndian.AppendUint32(p, crc32.Checksum(p, castagnoli))
}

// parseRecord reads a record over n files. It returns false for one that is torn.
func parseRecord(p []byte, n int) ([]finished, bool) {
	if len(p) < recordHeader+4 || string(p[:8]) != recordMagic ||
		binary.BigEndian.Uint16(p[8:]) != recordVersion || [2]byte(p[10:]) != [2]byte{} {
		return nil, false
	}
	count := int64(binary.BigEndian.Uint32(p[12:]))
	body := p[:len(p)-4]
	if count > int64(n) || int64(len(body)) != recordHeader+count*recordEntry ||
		binary.BigEndian.Uint32(p[len(body):]) != crc32.Checksum(body, castagnoli) {
		return nil, false
	}
	list := make([]finished, 0, count)
	last := -1
	for b := body[recordHeader:]; len(b) > 0; b = b[recordEntry:] {
		f := finished{int(binary.BigEndian.Uint32(b)), identity{
			int64(binary.BigEndian.Uint64(b[4:])),
			int64(binary.BigEndian.Uint64(b[12:])),
			binary.BigEndian.Uint64(b[20:]),
		}}
		if f.file <= last || f.file >= n {
			return nil, false
		}
		last = f.file
		list = append(list, f)
	}
	return list, true
}

// replaceFile writes data under name in dir, all or nothing, through name.new.
func replaceFile(t tree, dir, name string, data []byte) error {
	fresh := name + newSuffix
	f, err := t.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = t.Rename(fresh, name)
	}
	if err != nil {
		_ = t.Remove(fresh) // swept with the next opening if it stays
		return err
	}
	return t.SyncDir(dir)
}

// readFile returns the contents of a file of at most limit bytes.
func readFile(t tree, name string, limit int64) ([]byte, error) {
	f, err := t.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit {
		return nil, fault.Errorf(fault.Invalid, "it has %d bytes, more than %d", fi.Size(), limit)
	}
	p := make([]byte, fi.Size())
	if n, err := f.ReadAt(p, 0); n < len(p) && err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return p, nil
}

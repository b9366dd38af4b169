"""Writes the golden torrents in this folder with libtorrent (python3-libtorrent).

They were written once, with libtorrent 2.0.8, and are not written again: what
the program must go on reading does not change. The content is not kept; the
test derives it from the names in the same way.
"""

import hashlib
import os
import tempfile

import libtorrent as lt

PIECE = 32768
FILES = {
    "folder/a.txt": 10,
    "folder/b.bin": 70000,
    "folder/empty": 0,
    "folder/sub/c.bin": 16384,
    "folder/sub/d.bin": 200001,
    "one.bin": 150000,
    "large.bin": 11000000,
}


def content(name, size):
    out = bytearray()
    while len(out) < size:
        out += hashlib.sha256(b"%s/%d" % (name.encode(), len(out) // 32)).digest()
    return bytes(out[:size])


def main():
    with tempfile.TemporaryDirectory() as root:
        for name, size in FILES.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content(name, size))
        kinds = {
            "v1": lt.create_torrent.v1_only,
            "v1-padded": lt.create_torrent.v1_only | lt.create_torrent.canonical_files,
            "v2": lt.create_torrent.v2_only,
            "hybrid": 0,
            "hybrid-untailed": lt.create_torrent.canonical_files_no_tail_padding,
        }
        for name in ("folder", "one.bin", "large.bin"):
            for kind, flags in kinds.items():
                if name == "large.bin" and kind != "v2" or name == "one.bin" and "-" in kind:
                    continue
                files = lt.file_storage()
                lt.add_files(files, os.path.join(root, name))
                t = lt.create_torrent(files, 16384 if name == "large.bin" else PIECE, flags=flags)
                lt.set_piece_hashes(t, root)
                out = "%s-%s.torrent" % (name.split(".")[0], kind)
                entry = t.generate()
                entry[b"creation date"] = 1700000000
                with open(out, "wb") as f:
                    f.write(lt.bencode(entry))
                ih = lt.torrent_info(out).info_hashes()
                print(out, ih.v1, ih.v2)


main()

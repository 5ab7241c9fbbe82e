"""Sections 2 to 10 of docs/format.md: a repository in a folder, proven while it is read.

Written from that page alone. Part of tools/unpack.py; see there.
"""
import bisect
import collections
import json
import os
import struct

import zstandard

from unpack_format import (BLOB_MAX, CONFIG, DATA, FILLER, FOOTER, INDEX, ITEM_KINDS, ITEM_MAX, KEY,
                           KEYS, LIST, LOG, NAME_MAX, OBJECT_MAX, PACK, PACK_MAX, BODIES, RECORD, ROOT,
                           TREE, TREE_LIST, ZERO_NONCE, Refused, check_header, check_signature, data_key,
                           decode, header, hkdf, lp, mac, open_gcm, padme, sha256, unpad,
                           unseal_key, varint, verify_key)

BLOBS_KEPT = 16  # decrypted ones, at most BLOB_MAX bytes each: small files share a blob
ENVELOPES = {"log": (LOG, "Record"), "index": (INDEX, "Index"), "record": (RECORD, "Sealed")}
NEEDS_SESSION = (3, 4, 5, 6)
Place = collections.namedtuple("Place", "id pack offset stored raw type codec")


class Segment:
    """One index segment: finds blobs by bisection in its entries."""

    def __init__(self, message, what):
        self.message = message
        self.count, rest = divmod(len(message.entries), 50)
        packs, last = message.packs, b""
        if rest:
            raise Refused(f"{what}: the entries are cut off")
        for place in map(self.place, range(self.count)):
            if place.id <= last or place.pack >= len(packs):
                raise Refused(f"{what}: the entries are out of order or name an unknown pack")
            last = place.id
        for pack in packs:
            if pack.need(what, "name", "salt").session >= len(message.sessions):
                raise Refused(f"{what}: a pack names a session that is not in the list")

    def place(self, number):
        return Place._make(struct.unpack_from("<32sIIIIBB", self.message.entries, 50 * number))

    def find(self, blob):
        at = bisect.bisect_left(range(self.count), blob, key=lambda number: self.place(number).id)
        found = self.place(at) if at < self.count else None
        return found if found and found.id == blob else None


class PackKeys:
    """What opens one pack: 8, from the session key and the pack's salt."""

    def __init__(self, repository, session_key, salt):
        self.pack = hkdf(session_key, salt, b"lifeboat/v1/pack")
        self.blobs, self.nonces, self.commitment = (
            hkdf(self.pack, repository, b"lifeboat/v1/pack/" + purpose)
            for purpose in (b"blobs", b"nonces", b"commitment"))


class Repository:
    """Opened with a key; the log is read and proven. Nothing is ever listed."""

    def __init__(self, folder, opener):
        self.folder = folder
        stored = self.read("config")
        if stored is None:
            raise Refused(f"{folder}: there is no repository here: it has no file `config`")
        self.read_config(stored)
        self.unlock(opener)
        self.snapshots, self.points, self.runs, self.void = {}, [], [], []  # id -> record, snapshot
        self.segment_counts = collections.Counter()
        self.slots = self.read_log(sha256(stored))
        self.segments, self.blobs, self.pack_keys = None, collections.OrderedDict(), {}

    def read(self, name, limit=OBJECT_MAX, part=None):
        """The object, or of it (offset, length); None when it is not there."""
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                if part:
                    file.seek(part[0])
                    return file.read(part[1])
                data = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(data) > limit:
            raise Refused(f"{name}: larger than the format allows")
        return data

    # 4. config

    def read_config(self, stored):
        check_header(stored, CONFIG, "config")
        any_version = decode(stored[8:-64], "AnyConfig", "config").need("config", "repository")
        if not any_version.epochs:
            raise Refused("config: names no epoch")
        self.id = any_version.repository
        self.epoch = any_version.epochs[0].need("config", "data", "root")
        check_signature(self.epoch.root, "lifeboat/v1/config", sha256(stored[:-64]), stored[-64:],
                        "config")
        if any_version.version != 1 or any_version.required or stored[5] != 1:
            raise Refused(f"config: format version {any_version.version} with required features "
                          f"{any_version.required:#x}: needs Lifeboat {any_version.program}")
        self.config = decode(stored[8:-64], "Config", "config")
        self.writers = {}
        for one in self.config.certificates:
            one.need("config: a certificate", "key", "domain", "signature")
            check_signature(self.epoch.root, "lifeboat/v1/certificate", self.id + one.before(5),
                            one.signature, "config: a certificate")
            self.writers[sha256(one.key)] = one

    # 3 and 5. keys

    def unlock(self, opener):
        for number in range(KEYS):
            name = f"keys/{number:02}"
            stored = self.read(name)
            if stored is None:
                continue
            check_header(stored, KEY, name)
            if self.is_foreign(name, stored):
                continue
            self.check_key(name, stored)
            key = decode(stored[8:-64], "Key", name)
            if key.repository != self.id or key.number != number:
                raise Refused(f"{name}: is the key of another repository or number")
            root = opener.open(key, self.config.weak, name)
            if root:
                break
        else:
            raise Refused(f"{self.folder}: no key of this repository fits what was given")
        if len(root) != 32:
            raise Refused(f"{name}: holds no root secret")
        self.derive = lambda purpose: hkdf(root, self.id, b"lifeboat/v1/epoch/0/" + purpose)
        self.data_secret, self.id_key = self.derive(b"data"), self.derive(b"ids")
        self.metadata_key = self.derive(b"metadata")
        if (data_key(self.data_secret) != self.epoch.data
                or verify_key(self.derive(b"root-signing")) != self.epoch.root):
            raise Refused("config: its public keys do not belong to the root secret: forged")

    def check_key(self, name, stored):
        check_signature(self.epoch.root, "lifeboat/v1/key",
                        self.id + lp(name) + sha256(stored[:-64]), stored[-64:], name)

    def is_foreign(self, name, stored):
        """What an init left that was killed, or lost: it names another repository."""
        if len(stored) < 26 + 64 or stored[8:10] != b"\x01\x10" or stored[10:26] == self.id:
            return False
        try:
            self.check_key(name, stored[:10] + self.id + stored[26:])
        except Refused:
            return True
        return False  # ours, with a damaged id

    def session_key(self, sealed, what):
        if sealed is None:
            raise Refused(f"{what}: the sealed session key is missing")
        return unseal_key(self.data_secret, sealed, b"lifeboat/v1/session", what)

    # 6. sealed records

    def open_record(self, kind, name, stored, bound=None):
        """(message, whether its writer has a certificate); `bound` is the name that is sealed."""
        number, shape = ENVELOPES[kind]
        check_header(stored, number, name)
        start = 8 + 32 + (80 if number == RECORD else 0)
        if len(stored) < start + 16 + 64:
            raise Refused(f"{name}: is cut off")
        base = self.session_key(stored[40:120], name) if number == RECORD else self.metadata_key
        key = hkdf(base, stored[8:40], b"lifeboat/v1/" + kind.encode())
        bound = lp(bound or name)
        padded = open_gcm(key, ZERO_NONCE, self.id + stored[:8] + bound, stored[start:-64], name)
        message = decode(unpad(padded, name), shape, name).need(name, "writer")
        writer = self.writers.get(message.writer)
        if writer and writer.rights & 1:
            check_signature(writer.key, "lifeboat/v1/" + kind,
                            self.id + bound + sha256(stored[:-64]), stored[-64:], name)
            return message, True
        return message, False

    def record(self, kind, name):
        """The body of a sealed record of a run, or None when it is not there."""
        stored = self.read(name)
        if stored is None:
            return None
        message, certified = self.open_record("record", name, stored, f"{kind}/{name}")
        if not certified or (message.kind, message.name) != (kind, name):
            raise Refused(f"{name}: is another record, or of a writer without certificate")
        return message.body

    # 11. runs

    def events(self, run):
        """The events of a run in their order, each as JSON has them."""
        for segment in self.run_segments(run):
            yield from segment["events"]

    def run_segments(self, run):
        """The segments of a run, each with the driver that wrote it."""
        previous, number = "", 0
        while (body := self.record("run-segment", name := f"runs/{run}/{number:016x}")) is not None:
            try:
                segment = json.loads(body)
                if segment["version"] != 1:
                    raise Refused(f"{name}: made by a newer version")
                if (segment["run"], segment["number"], segment["previous"]) != (
                        run, number, previous):
                    raise Refused(f"{name}: does not follow the segment before it")
                whole = isinstance(segment["events"], list) and isinstance(segment["driver"], dict)
            except (ValueError, KeyError, TypeError):
                whole = False
            if not whole:
                raise Refused(f"{name}: is no segment of a run")
            yield segment
            previous, number = sha256(self.read(name)).hex(), number + 1
        for later in range(number + 1, number + 9):
            if self.read(f"runs/{run}/{later:016x}") is not None:
                raise Refused(f"{name}: was removed: a later segment is there")

    # 7. the log

    def read_log(self, previous):
        slot, sequences, self.sessions, forgotten = 0, collections.Counter(), {}, []
        while (stored := self.read(name := f"log/{slot:016x}")) is not None:
            record, certified = self.open_record("log", name, stored)
            record.need(name, "session")
            if record.slot != slot or record.previous != previous:
                raise Refused(f"{name}: does not follow the slot before it: the log was altered")
            previous, slot = sha256(stored), slot + 1
            if certified and record.sequence != sequences[record.writer]:
                raise Refused(f"{name}: does not fit the records of its writer")
            if not certified or (record.kind in NEEDS_SESSION and
                                 self.sessions.get(record.session) != record.writer):
                self.void.append(record.slot)
                continue
            sequences[record.writer] += 1
            self.take(record, name, forgotten)
        probes = [slot + step for step in range(1, 9)] + [slot + (1 << bit) for bit in range(4, 13)]
        for probe in probes:
            if self.read(f"log/{probe:016x}") is not None:
                raise Refused(f"log/{slot:016x}: was removed: a later slot, {probe:016x}, is there")
        for snapshot in forgotten:
            self.snapshots.pop(snapshot, None)
        return slot

    def take(self, record, name, forgotten):
        if record.kind not in BODIES:
            if record.kind < 64:
                raise Refused(f"{name}: made by a newer version (record of kind {record.kind})")
            return
        body = decode(record.need(name, "body").body, BODIES[record.kind], name)
        if record.kind == 1:
            self.sessions.setdefault(record.session, record.writer)
        elif record.kind == 2:
            self.sessions[body.need(name, "session").session] = None  # never to be opened again
        elif record.kind == 3:
            self.snapshots[body.need(name, "id", "moments").id] = (record, body)
            known = self.segment_counts[record.session]
            self.segment_counts[record.session] = max(known, body.segments)
        elif record.kind == 4:
            self.points.append((record, body.need(name, "id")))
        elif record.kind == 5:
            self.runs.append((record, body))
        elif record.kind == 6:
            forgotten.append(body.snapshot)

    # 9. index

    def load_index(self):
        if self.segments is not None:
            return self.segments
        self.segments = []
        for session, count in self.segment_counts.items():
            for ordinal in range(count):
                number = struct.pack("<Q", ordinal)
                name = "index/" + mac(self.metadata_key, b"index" + session + number).hex()
                stored = self.read(name)
                if stored is None:
                    raise Refused(f"{name}: index segment {ordinal} of a session is missing")
                message, certified = self.open_record("index", name, stored)
                if not certified or message.session != session or message.ordinal != ordinal:
                    raise Refused(f"{name}: is another segment, or of no writer with a certificate")
                self.segments.append(Segment(message.need(name, "domain"), name))
        return self.segments

    # 8. packs

    def keys_of_pack(self, segment, pack):
        if pack.name not in self.pack_keys:
            sealed = segment.message.sessions[pack.session].sealed
            what = f"the session of pack {pack.name.hex()[:8]}"
            self.pack_keys[pack.name] = PackKeys(self.id, self.session_key(sealed, what), pack.salt)
        return self.pack_keys[pack.name]

    def open_blob(self, keys, place, stored, domain, what):
        """The plain bytes of a blob that stands in `stored`, its id recomputed."""
        if place.raw > BLOB_MAX or len(stored) != place.stored:
            raise Refused(f"{what}: is cut off or too large")
        codec, raw = bytes((place.codec,)), struct.pack("<I", place.raw)
        nonce = mac(keys.nonces, place.id + codec + raw + struct.pack("<I", place.stored))[:12]
        kind = bytes((place.type,))
        plain = open_gcm(keys.blobs, nonce, self.id + kind + place.id + codec + raw, stored, what)
        try:
            if place.codec == 1:
                plain = zstandard.ZstdDecompressor().decompress(plain, max_output_size=place.raw)
        except zstandard.ZstdError as error:
            raise Refused(f"{what}: {error}") from None
        expected = bytes(32) if place.type == FILLER else mac(self.id_key, domain + kind + plain)
        if len(plain) != place.raw or expected != place.id or place.codec > 1 or (
                place.type == FILLER and any(plain)):
            raise Refused(f"{what}: is not what its id names")
        return plain

    def blob(self, wanted, kind):
        """The plain bytes of a blob, from any of its places that proves itself."""
        if (wanted, kind) in self.blobs:
            self.blobs.move_to_end((wanted, kind))
            return self.blobs[wanted, kind]
        trouble = Refused(f"blob {wanted.hex()[:16]}: is in no index segment")
        for segment in self.load_index():
            place = segment.find(wanted)
            if place is None or place.type != kind:
                continue
            try:
                plain = self.blob_at(segment, place)
            except Refused as error:
                trouble = error
                continue
            self.blobs[wanted, kind] = plain
            if len(self.blobs) > BLOBS_KEPT:
                self.blobs.popitem(last=False)
            return plain
        raise trouble

    def blob_at(self, segment, place):
        pack = segment.message.packs[place.pack]
        name = f"packs/{pack.name.hex()[:2]}/{pack.name.hex()}"
        what = f"{name}: blob {place.id.hex()[:16]}"
        stored = self.read(name, part=(place.offset, place.stored))
        if stored is None:
            raise Refused(f"{name}: the pack is missing")
        keys = self.keys_of_pack(segment, pack)
        return self.open_blob(keys, place, stored, segment.message.domain, what)

    def prove_pack(self, segment, number, read_data):
        """The pack against its own signature and the index; with all blobs when `read_data`."""
        pack = segment.message.packs[number]
        name = f"packs/{pack.name.hex()[:2]}/{pack.name.hex()}"
        stored = self.read(name, PACK_MAX)
        if stored is None:
            raise Refused(f"{name}: the pack is missing")
        check_header(stored, PACK, name)
        if len(stored) != pack.size or pack.size < 8 + pack.directory + FOOTER:
            raise Refused(f"{name}: {len(stored)} bytes, but the index says {pack.size}")
        footer, end = stored[-FOOTER:], len(stored) - FOOTER - pack.directory
        salt, sealed, commitment, directory_salt = (
            footer[4:36], footer[36:116], footer[116:148], footer[148:180])
        keys = PackKeys(self.id, self.session_key(sealed, name), salt)
        if footer[:4] + footer[244:] != struct.pack("<I", pack.directory) + header(PACK) or (
                keys.commitment != commitment or salt != pack.salt):
            raise Refused(f"{name}: the footer was altered")
        directory_key = hkdf(keys.pack, directory_salt, b"lifeboat/v1/pack/directory")
        padded = open_gcm(directory_key, ZERO_NONCE, self.id + header(PACK) + lp(name),
                          stored[end:-FOOTER], f"{name}: the directory")
        if mac(keys.nonces, b"directory" + padded) != directory_salt:
            raise Refused(f"{name}: the salt of the directory is not its own")
        directory = decode(unpad(padded, name), "Directory", name).need(name, "writer", "session")
        writer = self.writers.get(directory.writer)
        if writer is None or pack.name != mac(self.metadata_key, b"pack" + directory.session +
                                              struct.pack("<Q", directory.ordinal)):
            raise Refused(f"{name}: is another pack, or of a writer without certificate")
        check_signature(writer.key, "lifeboat/v1/pack", self.id + lp(name) +
                        sha256(stored[end:-FOOTER] + footer[:180]), footer[180:244], name)
        return self.prove_blobs((segment, number), (stored, end), (directory, keys), read_data)

    def prove_blobs(self, listed, packed, opened, read_data):
        (segment, number), (stored, end), (directory, keys) = listed, packed, opened
        name, at, last = f"pack {segment.message.packs[number].name.hex()[:16]}", 8, None
        entries = directory.entries
        if len(entries) % 42 or not entries:
            raise Refused(f"{name}: the entries of the directory are cut off")
        for start in range(0, len(entries), 42):
            blob, kind, codec, raw, size = struct.unpack_from("<32sBBII", entries, start)
            place = last = Place(blob, number, at, size, raw, kind, codec)
            indexed = segment.find(blob)
            if kind != FILLER and indexed and indexed.pack == number and indexed != place:
                raise Refused(f"{name}: blob {blob.hex()[:16]} is elsewhere than the index says")
            if read_data:
                self.open_blob(keys, place, stored[at:at + size], directory.domain,
                               f"{name}: blob {blob.hex()[:16]}")
            at += size
        if at != end or last.type != FILLER or len(stored) != padme(len(stored) - last.raw):
            raise Refused(f"{name}: the blobs do not fill it as they must")
        return len(entries) // 42

    # 10. snapshots

    def items(self, snapshot):
        """All items of a snapshot in canonical order."""
        what = f"snapshot {snapshot.id.hex()[:8]}"
        root = decode(self.blob(snapshot.id, ROOT), "Root", what)
        trees = split_ids(root.ids, what)
        if root.depth == 1:
            trees = (tree for one in trees for tree in split_ids(self.blob(one, TREE_LIST), what))
        elif root.depth:
            raise Refused(f"{what}: made by a newer version (depth {root.depth})")
        last, count = None, 0
        for tree in trees:
            for item in decode(self.blob(tree, TREE), "Tree", what).items:
                order = item.name.split(b"/")
                if last is not None and order <= last:
                    raise Refused(f"{what}: the items are out of order")
                if item.kind not in ITEM_KINDS or len(item.name) > NAME_MAX or (
                        len(item.raw) > ITEM_MAX):
                    raise Refused(f"{what}: an item of unknown kind {item.kind}, or too large")
                last, count = order, count + 1
                yield item
        if count != root.items:
            raise Refused(f"{what}: {count} items, but its root says {root.items}")

    def content(self, item):
        """(bytes, 0) or, for a hole, (None, length): the pieces of an item in their order."""
        what, at, total = "the content of an item", 0, 0
        pieces = item.content or b"".join(self.blob(one, LIST)
                                          for one in split_ids(item.lists, what))
        while at < len(pieces):
            sort, at = varint(pieces, at, what)
            if sort == 0:
                length, at = varint(pieces, at, what)
                yield None, length
            elif sort == 1:
                blob, at = pieces[at:at + 32], at + 32
                offset, at = varint(pieces, at, what)
                length, at = varint(pieces, at, what)
                plain = self.blob(blob, DATA)[offset:offset + length]
                if len(plain) != length:
                    raise Refused(f"{what}: is longer than the blob that holds it")
                yield plain, length
            else:
                raise Refused(f"{what}: made by a newer version (piece {sort})")
            if length == 0:
                raise Refused(f"{what}: holds an empty piece")
            total += length
        if total != item.size:
            raise Refused(f"{what}: {total} bytes, but its item says {item.size}")


def split_ids(joined, what):
    if len(joined) % 32:
        raise Refused(f"{what}: a list of ids is cut off")
    return [joined[at:at + 32] for at in range(0, len(joined), 32)]

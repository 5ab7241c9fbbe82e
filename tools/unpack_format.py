"""Sections 1, 3 and 5 of docs/format.md: the conventions, messages, and what opens a key.

Written from that page alone. Part of tools/unpack.py; see there.
"""
import base64
import hashlib
import hmac
import struct
import sys

try:
    import argon2.low_level
    import zstandard  # noqa: F401 - unpack_repository.py uses it; here it is missed in one place
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (Ed25519PrivateKey,
                                                                   Ed25519PublicKey)
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as missing:
    sys.exit(f"unpack.py: {missing}: apt-get install python3-cryptography python3-zstandard "
             "python3-argon2, and run it with /usr/bin/python3")

MEBI = 1 << 20
OBJECT_MAX, PACK_MAX, BLOB_MAX, ITEM_MAX, NAME_MAX = 256 * MEBI, 1 << 30, 16 * MEBI, 4 * MEBI, 65536
NESTING_MAX, KEYS, FOOTER = 8, 64, 252
ZERO_NONCE = bytes(12)
CONFIG, KEY, LOG, PACK, INDEX, RECORD = 1, 2, 3, 4, 5, 6
FILLER, DATA, LIST, TREE, ROOT, TREE_LIST = range(6)
FILE, FOLDER, SYMLINK, HARD_LINK, FIFO, CHARACTERS, BLOCKS, STREAM = 1, 2, 3, 4, 5, 6, 7, 16
ITEM_KINDS = {1: "file", 2: "directory", 3: "symlink", 4: "hard link", 5: "fifo",
              6: "character device", 7: "block device", 16: "stream"}


class Refused(Exception):
    """What is wrong, in one sentence with the name of the thing."""


# --- 1. conventions ------------------------------------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def hkdf(secret, salt, info):  # RFC 5869; 32 bytes are one block
    return mac(mac(salt or bytes(32), secret), info + b"\x01")


def open_gcm(key, nonce, aad, sealed, what):
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError):
        raise Refused(f"{what}: does not open: damaged, or sealed with another key") from None


def check_signature(key, context, message, signature, what):
    context = context.encode()
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(
            signature, struct.pack("<I", len(context)) + context + message)
    except (InvalidSignature, ValueError):
        raise Refused(f"{what}: the signature does not hold: damaged or forged") from None


def verify_key(seed):
    return public_of(Ed25519PrivateKey.from_private_bytes(seed))


def data_key(secret):
    return public_of(X25519PrivateKey.from_private_bytes(secret))


def public_of(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def unseal_key(secret, sealed, info, what):
    """Opens `share (32) ‖ box` for the X25519 `secret`: what SEALKEY has made."""
    private = X25519PrivateKey.from_private_bytes(secret)
    share, box = sealed[:32], sealed[32:]
    try:  # exchange() refuses a shared secret of zeros
        shared = private.exchange(X25519PublicKey.from_public_bytes(share))
        wrap = hkdf(shared, share + public_of(private), info)
        return ChaCha20Poly1305(wrap).decrypt(ZERO_NONCE, box, None)
    except (InvalidTag, ValueError):
        raise Refused(f"{what}: does not open") from None


def lp(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<H", len(data)) + data


def header(kind):
    return b"LFBT" + bytes((kind, 1, 0, 0))


def check_header(data, kind, what):
    if data[:4] != b"LFBT" or len(data) < 8:
        raise Refused(f"{what}: is no object of a Lifeboat repository")
    if kind != CONFIG and data[5] != 1:  # of the config, the body says which program is needed
        raise Refused(f"{what}: has version {data[5]} of the format; this program reads 1")
    if data[4] != kind or data[6:8] != b"\0\0":
        raise Refused(f"{what}: is another kind of object")


def padme(size):
    exponent = size.bit_length() - 1
    kept = exponent.bit_length()
    mask = (1 << (exponent - kept)) - 1 if exponent > kept else 0
    return (size + mask) & ~mask


def unpad(padded, what):
    length = struct.unpack_from("<I", padded)[0] if len(padded) >= 4 else len(padded)
    if len(padded) != padme(max(4 + length, 256)) or any(padded[4 + length:]):
        raise Refused(f"{what}: wrong padding")
    return padded[4:4 + length]


# --- 1.1 messages --------------------------------------------------------------------------------

SHAPES = {}
# `message` without a name stays bytes: what is in it depends on another field.
SIZES = {"id": 32, "bytes16": 16, "bytes32": 32, "bytes64": 64, "bytes80": 80}
EMPTY = {"uint": 0, "sint": 0, "flag": False, "text": "", "bytes": b""}


def shape(name, fields):
    """Fields are `TAG NAME TYPE`; a type of small letters is a plain one, `*` means repeated."""
    SHAPES[name] = {}
    for field in fields.split(","):
        tag, called, kind = field.split()
        SHAPES[name][int(tag)] = (called, kind.rstrip("*"), kind.endswith("*") or kind == "map")


shape("Pair", "1 key bytes, 2 value bytes")
shape("Epoch", "1 number uint, 2 data bytes32, 3 root bytes32")
shape("Certificate", "1 key bytes32, 2 domain id, 3 rights uint, 4 epoch uint, 5 signature bytes64")
shape("Chunker", "1 least uint, 2 average uint, 3 most uint, 4 fixed uint, 5 small uint, "
      "6 aggregate uint, 7 mode uint")
shape("Config", "1 repository bytes16, 2 version uint, 3 required uint, 4 optional uint, "
      "5 created sint, 6 epochs Epoch*, 7 certificates Certificate*, 8 pack_size uint, "
      "9 chunker Chunker, 10 program text, 11 weak flag")
# What every version of the format keeps, so that it can be told which program is needed.
shape("AnyConfig", "1 repository bytes16, 2 version uint, 3 required uint, 6 epochs Epoch*, "
      "10 program text")
shape("Argon2", "1 memory uint, 2 passes uint, 3 salt bytes16")
shape("Key", "1 repository bytes16, 2 number uint, 3 kind uint, 4 label text, 5 created sint, "
      "6 passphrase Argon2, 7 wrapped bytes")
shape("Moments", "1 begin sint, 2 consistent_at sint, 3 end sint, 4 position text, "
      "5 remarks text*, 6 partial flag, 7 facts map")
shape("Open", "1 domain id, 2 host text, 3 program text")
shape("Close", "1 session id")
shape("Snapshot", "1 id id, 2 kind uint, 3 source text, 4 type text, 5 run text, 6 facts map, "
      "7 moments Moments, 8 host text, 9 clock sint, 10 items uint, 11 size uint, 12 stored uint, "
      "13 previous id, 14 segments uint")
shape("Member", "1 source text, 2 snapshot id, 3 reason text, 4 partial flag")
shape("Group", "1 name text, 2 sources text*, 3 skew uint, 4 allowed uint, 5 consistent flag, "
      "6 reason text")
shape("Point", "1 id id, 2 members Member*, 3 bundle id, 4 complete flag, 5 verified flag, "
      "6 earliest sint, 7 latest sint, 64 groups Group*")
shape("Run", "1 run text, 2 plan text")
shape("Forget", "1 snapshot id, 2 reason text")
shape("Record", "1 slot uint, 2 previous id, 3 writer id, 4 sequence uint, 5 session id, "
      "6 kind uint, 7 time sint, 8 attempt bytes16, 9 body message, 10 epoch uint")
shape("Sealed", "1 writer id, 2 kind text, 3 name text, 4 body bytes")
shape("Directory", "1 writer id, 2 domain id, 3 session id, 4 ordinal uint, 5 stream uint, "
      "6 entries bytes")
shape("Session", "1 id id, 2 sealed bytes80")
shape("Pack", "1 name id, 2 size uint, 3 directory uint, 4 salt bytes32, 5 session uint")
shape("Index", "1 writer id, 2 domain id, 3 session id, 4 ordinal uint, 5 sessions Session*, "
      "6 packs Pack*, 7 entries bytes")
shape("Root", "1 random bytes16, 2 kind uint, 3 source text, 4 type text, 5 run text, 6 facts map, "
      "7 moments Moments, 8 items uint, 9 size uint, 10 depth uint, 11 ids bytes")
shape("Metadata", "1 mode uint, 2 uid uint, 3 gid uint, 4 user bytes, 5 group bytes, 6 mtime sint, "
      "7 mtime_ns uint, 8 ctime sint, 9 ctime_ns uint, 10 device uint, 11 inode uint, "
      "12 links uint, 13 rdev uint, 14 target bytes, 15 xattrs map")
shape("Item", "1 name bytes, 2 kind uint, 3 size uint, 4 facts map, 5 changed flag, "
      "6 file Metadata, 7 content bytes, 8 lists bytes")
shape("Tree", "1 items Item*")
BODIES = {1: "Open", 2: "Close", 3: "Snapshot", 4: "Point", 5: "Run", 6: "Forget"}


class Message:
    """The fields of a decoded message by name, and the bytes it was read from."""

    def __init__(self, fields, raw):
        self.raw, self.starts = raw, {}
        for called, kind, repeated in fields.values():
            empty = ({} if kind == "map" else []) if repeated else EMPTY.get(kind)
            setattr(self, called, empty)

    def before(self, tag):
        return self.raw[:self.starts.get(tag, len(self.raw))]

    def need(self, what, *names):
        for name in names:
            if getattr(self, name) is None:
                raise Refused(f"{what}: the field {name} is missing")
        return self


def varint(data, at, what):
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64 or (byte == 0 and shift):
                break
            return value, at
        shift += 7
    raise Refused(f"{what}: a number is cut off or not in its shortest form")


def plain_value(kind, body, what):
    if kind in ("uint", "sint", "flag"):
        number, end = varint(body, 0, what)
        if end != len(body) or (kind == "flag" and number != 1):
            raise Refused(f"{what}: a number with something behind it")
        if kind == "sint":
            return (number >> 1) ^ -(number & 1)
        return number if kind == "uint" else True
    if kind == "text":
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise Refused(f"{what}: a text that is not UTF-8") from None
    if len(body) != SIZES.get(kind, len(body)):
        raise Refused(f"{what}: a field of {len(body)} bytes where {kind} belongs")
    return body


def decode(data, name, what, depth=1):
    fields = SHAPES[name]
    message, at, last = Message(fields, data), 0, 0
    if depth > NESTING_MAX:
        raise Refused(f"{what}: nested too deep")
    while at < len(data):
        start = at
        tag, at = varint(data, at, what)
        size, at = varint(data, at, what)
        body, at = data[at:at + size], at + size
        if at > len(data) or not max(last, 1) <= tag < 1 << 32:
            raise Refused(f"{what}: the fields are cut off or out of order")
        if tag not in fields:
            if tag < 64 and name != "AnyConfig":
                raise Refused(f"{what}: made by a newer version (field {tag})")
            last = tag
            continue
        called, kind, repeated = fields[tag]
        if tag == last and not repeated:
            raise Refused(f"{what}: the field {called} is there twice")
        message.starts.setdefault(tag, start)
        last = tag
        if kind == "map":
            pair, known = decode(body, "Pair", what, depth + 1), getattr(message, called)
            if known and pair.key <= next(reversed(known)):
                raise Refused(f"{what}: the keys of {called} are out of order")
            known[pair.key] = pair.value
            continue
        nested = kind in SHAPES
        value = decode(body, kind, what, depth + 1) if nested else plain_value(kind, body, what)
        if repeated:
            getattr(message, called).append(value)
        elif kind in EMPTY and value == EMPTY[kind]:
            raise Refused(f"{what}: the empty field {called} is written")
        else:
            setattr(message, called, value)
    return message


# --- 5. keys: what opens them --------------------------------------------------------------------

def key_file(path):
    with open(path, "rb") as file:
        text = file.read(65537)
    if len(text) > 65536:
        raise Refused(f"{path}: too long for a key")
    return text


def bech32_secret(text):
    """The 32 bytes of AGE-SECRET-KEY-1… (BIP 173)."""
    letters, low = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", text.lower()
    prefix, _, rest = low.rpartition("1")
    if text not in (low, low.upper()) or prefix != "age-secret-key-" or len(rest) < 6 or any(
            letter not in letters for letter in rest):
        raise Refused("the identity is no AGE-SECRET-KEY-1…")
    values = [letters.index(letter) for letter in rest]
    check = 1
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    for value in expanded + values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD,
                                         0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    number = 0
    for value in values[:-6]:
        number = number << 5 | value
    if check != 1 or len(values) != 58 or number & 15:
        raise Refused("the identity is mistyped: its check letters do not fit")
    return (number >> 4).to_bytes(32, "big")


def unpadded_base64(text, what):
    decoded = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if base64.b64encode(decoded).rstrip(b"=") != text:
        raise ValueError(what)
    return decoded


def open_age(secret, data, what):
    """The 32 bytes in an age v1 file for the X25519 `secret`; None: it is for somebody else."""
    end = data.find(b"\n---")
    lines, closing = data[:end].split(b"\n"), data[end + 1:end + 5 + 43]
    body = data[end + 5 + 44:]
    if end < 0 or lines[0] != b"age-encryption.org/v1" or closing[:4] != b"--- " or (
            data[end + 5 + 43:end + 5 + 44] != b"\n"):
        raise Refused(f"{what}: holds no age v1 file")
    try:
        expected = unpadded_base64(closing[4:], what)
        for number, line in enumerate(lines[:-1]):
            if not line.startswith(b"-> X25519 "):
                continue
            share = unpadded_base64(line[len(b"-> X25519 "):], what)
            box = unpadded_base64(lines[number + 1], what)
            try:
                file_key = unseal_key(secret, share + box, b"age-encryption.org/v1/X25519", what)
            except Refused:
                continue
            if not hmac.compare_digest(mac(hkdf(file_key, b"", b"header"), data[:end + 4]),
                                       expected):
                raise Refused(f"{what}: the header of the age file was altered")
            payload = ChaCha20Poly1305(hkdf(file_key, body[:16], b"payload"))
            return payload.decrypt(bytes(11) + b"\x01", body[16:], None)  # the one, last chunk
    except (ValueError, InvalidTag):
        raise Refused(f"{what}: the age file in it is damaged") from None
    return None


class Opener:
    """A passphrase or age identities, from a file."""

    def __init__(self, arguments):
        self.passphrase, self.identities = None, []
        if arguments.passphrase_file:
            self.passphrase = key_file(arguments.passphrase_file).removesuffix(b"\n")
            return
        for line in key_file(arguments.identity).decode(errors="replace").split("\n"):
            if line.strip() and not line.startswith("#"):
                self.identities.append(bech32_secret(line.strip()))
        if not self.identities:
            raise Refused(f"{arguments.identity}: holds no identity")

    def open(self, key, weak, what):
        """The root secret, or None when it does not fit."""
        if key.kind == 2:
            opened = (open_age(secret, key.wrapped, what) for secret in self.identities)
            return next((root for root in opened if root), None)
        if key.kind != 1 or self.passphrase is None:
            return None
        cost = key.need(what, "passphrase").passphrase.need(what, "salt")
        if cost.memory > 4 << 30 or cost.passes > 64 or cost.passes < 1 or (
                not weak and (cost.memory < 256 * MEBI or cost.passes < 3)):
            raise Refused(f"{what}: asks for {cost.memory} bytes and {cost.passes} passes")
        stretched = argon2.low_level.hash_secret_raw(
            self.passphrase, cost.salt, cost.passes, cost.memory // 1024, 1, 32,
            argon2.low_level.Type.ID, 0x13)
        try:
            return AESGCM(hkdf(stretched, key.repository, b"lifeboat/v1/passphrase")).decrypt(
                ZERO_NONCE, key.wrapped, key.before(7))
        except (InvalidTag, ValueError):
            return None

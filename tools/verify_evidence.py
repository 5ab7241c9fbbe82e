#!/usr/bin/python3 -B
"""Verify a bundle of Lifeboat's evidence without Lifeboat. Written from docs/format.md alone.

    verify_evidence.py FOLDER [--trust ed25519:KEY]...

Needs Python 3.11 and Debian's python3-cryptography; no repository, no key, no network.
Each fault is a line "FILE: what"; the last line tells who signed.

exit status: 0 whole (and signed by one of the keys given); 1 something was changed; 2 usage;
3 whole, but signed by none of the keys given; 4 of a later version than this program knows
"""
import argparse
import base64
import binascii
import hashlib
import json
import os
import stat
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MANIFEST, SIGNATURES, RECORD = "manifest.json", "signatures.json", "evidence.json"
# What a signer of each role has (16.1).
MEMBERS = {"operator": {"key", "role"}, "repository": {"certificate", "key", "role", "root"}}


class Refused(Exception):
    pass


class Newer(Refused):
    """What a later version wrote."""


def document(raw, form):
    """16: canonical JSON. Numbers stay as they are written: only their place is compared."""
    def no_doubles(pairs):
        members = dict(pairs)
        if len(members) != len(pairs):
            raise Refused("a key stands twice")
        return members
    try:
        value = json.loads(raw, object_pairs_hook=no_doubles, parse_float=Written)
    except (ValueError, RecursionError) as error:
        raise Refused(f"cannot be read: {error}") from None
    if dumped(value) != raw:
        raise Refused("is not canonical JSON")
    if not isinstance(value, dict) or value.get("format") != form:
        raise Refused(f"is no {form}")
    version = value.get("version")
    if version != 1:
        later = type(version) is int and version > 1
        raise (Newer if later else Refused)(f"has version {value.get('version')}, this program knows 1")
    return value


class Written(float):
    """A number with a fraction, and how it was written."""
    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self):
        return self.text


def dumped(value):
    if isinstance(value, dict):
        members = (dumped(key) + b":" + dumped(member)
                   for key, member in sorted(value.items(), key=lambda item: item[0].encode()))
        return b"{" + b",".join(members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(dumped, value)) + b"]"
    if isinstance(value, Written):
        return value.text.encode()
    return json.dumps(value, ensure_ascii=False).encode()


def key_of(text):
    if not isinstance(text, str) or not text.startswith("ed25519:"):
        raise Refused("a key is no key")
    return base64.b64decode(text[8:], validate=True)


def signed(key, context, message, signature):
    """SIGN of section 1."""
    framed = struct.pack("<I", len(context)) + context + message
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, framed)
        return True
    except (InvalidSignature, ValueError):
        return False


def certificate_fields(raw):
    """4.1, as a message of 1.1: tag, length, bytes; all tags and lengths are below 128."""
    fields, at = {}, 0
    while at < len(raw):
        tag, length = raw[at], raw[at + 1]
        fields[tag] = (at, raw[at + 2:at + 2 + length])
        at += 2 + length
    return fields


def certified(signer, repository):
    raw = base64.b64decode(signer["certificate"], validate=True)
    fields = certificate_fields(raw)
    place, signature = fields[5]
    return (fields[1][1] == key_of(signer["key"])
            and signed(key_of(signer["root"]), b"lifeboat/v1/certificate",
                       bytes.fromhex(repository) + raw[:place], signature))


def read_folder(path):
    files = {}
    for name in sorted(os.listdir(path)):
        place = os.path.join(path, name)
        if not stat.S_ISREG(os.lstat(place).st_mode):
            raise Refused(f"{name}: is no plain file")
        with open(place, "rb") as file:
            files[name] = file.read()
    return files


class Verifier:
    def __init__(self, files, trust):
        self.files, self.trust = files, trust
        self.faults, self.signers, self.trusted = [], [], False
        self.newer = set()  # files of which nothing else is wrong

    def fault(self, name, what):
        self.faults.append(f"{name}: {what}")

    def read(self, name, form):
        if name not in self.files:
            return self.fault(name, "is missing")
        try:
            return document(self.files[name], form)
        except Newer as refused:
            self.newer.add(name)
            return self.fault(name, refused)
        except Refused as refused:
            return self.fault(name, refused)

    def verify(self):
        manifest = self.read(MANIFEST, "lifeboat-evidence-manifest")
        signatures = self.read(SIGNATURES, "lifeboat-evidence-signatures")
        if manifest and signatures:
            self.check_signatures(manifest, signatures)
        elif manifest:
            self.newer.discard(SIGNATURES)  # the two are written by one program
        elif signatures and MANIFEST in self.newer and \
                hashlib.sha256(self.files[MANIFEST]).hexdigest() != signatures["manifest"]:
            self.fault(MANIFEST, "was changed")
        # A manifest that was changed says nothing of other files.
        if manifest and not any(fault.startswith(MANIFEST) for fault in self.faults):
            self.check_files(manifest)
            record = self.read(RECORD, "lifeboat-evidence")
            if record and not self.faults:
                self.check_record(manifest, record)

    def check_signatures(self, manifest, signatures):
        raw = self.files[MANIFEST]
        same = hashlib.sha256(raw).hexdigest() == signatures["manifest"]
        pairs = list(zip(manifest["signers"], signatures["signatures"]))
        held = []
        for signer, signature in pairs:
            try:
                holds = signed(key_of(signer["key"]), b"lifeboat/v1/evidence", raw,
                               base64.b64decode(signature, validate=True))
            except (Refused, binascii.Error):
                holds = False
            held.append(holds)
            self.signers.append(f"{signer['role']} {signer['key']}")
            known = self.known_keys(signer, manifest["repository"])
            self.trusted = self.trusted or (holds and bool(known & self.trust))
        whole = bool(held) and all(held)
        if set(signatures) != {"format", "manifest", "signatures", "version"} or \
                len(signatures["signatures"]) != len(manifest["signers"]):
            self.fault(SIGNATURES, "does not hold one signature for each signer")
        if not same:
            self.fault(SIGNATURES if whole else MANIFEST, "was changed")
        elif not whole:
            self.fault(SIGNATURES, "a signature does not hold")

    def known_keys(self, signer, repository):
        """The keys that vouch for a signer, any of which may be trusted; none for one of no sense."""
        members = MEMBERS.get(signer["role"])
        if set(signer) != members:
            self.fault(MANIFEST, f"a signer is no {' or '.join(MEMBERS)}")
            return set()
        if signer["role"] == "operator":
            return {signer["key"]}
        try:
            if certified(signer, repository):
                return {signer["key"], signer["root"]}
        except (Refused, KeyError, IndexError, ValueError):
            pass
        self.fault(MANIFEST, "the certificate does not hold")
        return set()

    def check_files(self, manifest):
        named = {MANIFEST, SIGNATURES}
        for line in manifest["files"]:
            name = line["name"]
            named.add(name)
            if name not in self.files:
                self.fault(name, "is missing")
            elif (len(self.files[name]), hashlib.sha256(self.files[name]).hexdigest()) != (
                    line["size"], line["sha256"]):
                self.fault(name, "was changed")
        for name in self.files.keys() - named:
            self.fault(name, "was added")

    def check_record(self, manifest, record):
        if (record["run"], record["repository"]) != (manifest["run"], manifest["repository"]):
            self.fault(RECORD, "is of another run")
        plans = []
        for line in record["plans"]:
            raw = self.files.get(line["file"], b"")
            if hashlib.sha256(raw).hexdigest() != line["sha256"]:
                return self.fault(line["file"], "is not the plan of the run")
            plans.append(json.loads(raw, parse_float=Written))
        words = self.check_people(record, plans)
        told = {step["name"] for step in record["steps"]}
        for step in plans[-1]["steps"]:
            if step["name"] not in told:
                self.fault(RECORD, f"{step['name']} is in the plan and not in the record")
        gates = [{step["name"]: step.get("approve") for step in plan["steps"]} for plan in plans]
        for step in record["steps"] + record["former_steps"]:
            def let_through(attempt):
                name = attempt["step"]
                gate = gates[attempt["plan_version"]][name]
                return not gate or gate_open(gate, words.get(name, []), attempt, self.inputs_changed)
            if step["attempts"] and not any(map(let_through, step["attempts"])):
                self.fault(RECORD, f"{step['name']} began without its approvals")

    def check_people(self, record, plans):
        words = {}
        self.inputs_changed = []
        for request in record["people"]["requests"]:
            where = f"request {request['number']}"
            operators = record["people"]["operators"][request["operators_version"]]
            if not request["signed"]:
                if request["accepted"] and (operators or request["action"] == "approve"):
                    self.fault(RECORD, f"{where} was taken, and is not signed")
                continue
            if not signed(key_of(request["key"]), b"lifeboat/v1/request", request["text"].encode(),
                          base64.b64decode(request["signature"])):
                self.fault(RECORD, f"{where}: the signature does not hold")
                continue
            said = json.loads(request["text"])
            beside = {"run": record["run"], **{name: request[name]
                                               for name in ("action", "step", "reason")}}
            if operators.get(request["by"]) != request["key"] or \
                    any(text_of(said, name) != text for name, text in beside.items()):
                self.fault(RECORD, f"{where}: its words are others")
                continue
            if request["accepted"] and request["action"] == "retry" and said.get("inputs"):
                self.inputs_changed.append(request["taken_ns"])
            if not request["accepted"] or request["action"] not in ("approve", "decline"):
                continue
            subject = dumped({"run": record["run"], "step": request["step"],
                              "plan": plans[request["plan_version"]],
                              "inputs": record["inputs"][request["inputs_version"]],
                              "point": (record["point"] or {}).get("id", "")})
            if hashlib.sha256(subject).hexdigest() != text_of(said, "subject"):
                self.fault(RECORD, f"{where} was given for something else")
                continue
            time = said.get("time")
            given = min(time, request["taken_ns"]) if isinstance(time, int) else request["taken_ns"]
            words.setdefault(request["step"], []).append(
                {"by": request["by"], "taken": request["taken_ns"], "given": given,
                 "plan": request["plan_version"], "yes": request["action"] == "approve"})
        return words


def text_of(said, name):
    """What is no text, or not there, counts as an empty one."""
    return said[name] if isinstance(said.get(name), str) else ""


def gate_open(gate, words, attempt, inputs_changed):
    people, begun = set(), attempt["begun_ns"]
    for word in words:
        if word["taken"] > begun:
            continue
        if not word["yes"]:
            people.clear()
            continue
        stands = word["plan"] == attempt["plan_version"] and \
            begun - word["given"] <= gate["expires_ns"] and \
            not any(word["taken"] < changed <= begun for changed in inputs_changed)
        if stands and (not gate["by"] or word["by"] in gate["by"]):
            people.add(word["by"])
    return len(people) >= max(gate["count"], 1)


def key_word(word):
    """A key as an argument; the one way in which it is written."""
    try:
        if len(key_of(word)) == 32 and word == "ed25519:" + base64.b64encode(key_of(word)).decode():
            return word
    except (Refused, ValueError):
        pass
    raise argparse.ArgumentTypeError(f"{word!r} is no key: ed25519:BASE64")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--trust", action="append", default=[], type=key_word,
                        help="a key that you know")
    given = parser.parse_args()
    if not os.path.isdir(given.folder):
        parser.error(f"{given.folder!r} is no folder")
    try:
        verifier = Verifier(read_folder(given.folder), set(given.trust))
        verifier.verify()
    except (Refused, OSError) as error:
        sys.exit(f"verify_evidence.py: {error}")
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        sys.exit(f"verify_evidence.py: the record is not as it should be: {error!r}")
    for fault in verifier.faults:
        print(fault)
    if verifier.faults:
        sys.exit(4 if len(verifier.faults) == len(verifier.newer) else 1)
    print("whole; signed by " + ", ".join(verifier.signers))
    if given.trust and not verifier.trusted:
        print("none of them is a key that you gave")
        sys.exit(3)


if __name__ == "__main__":
    main()

"""The vectors: the kernel passes each, each can be made anew, and the plain verifier agrees where it can (9.1 to 10.7 too)."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openline.kernel import codec, crypto, envelope, keys, lane, merkle, terms
from openline.kernel.errors import Forged, Refused
from openline.protocol.bodies import decode_body
from openline.protocol.call_keys import opens_commitment, spoken_check
from openline.protocol.call_signals import read_signal
from openline.protocol.entries import KeyNotice, Kind, kind_of
from openline.protocol.secrets import secret_name
from openline.protocol.statements import decode_contradiction
from openline.station.keys import lane_name
from tests.spec.parties import OWNER
from tests.spec.test_verifiers import VERIFIER
from vectors.generate import everything
from vectors.generate.case import tagged

FOLDER = Path(__file__).parents[2] / "vectors"
PATHS = sorted(place.relative_to(FOLDER).as_posix() for place in FOLDER.glob("*/*.json"))
CASES = {path: json.loads((FOLDER / path).read_text()) for path in PATHS}
UNHEX = bytes.fromhex


def untagged(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        kinds: dict[str, Callable[[Any], Any]] = {
            "int": int, "bytes": UNHEX, "text": str, "array": lambda items: [untagged(item) for item in items],
            "map": lambda pairs: {untagged(key): untagged(item) for key, item in pairs},
        }  # fmt: skip
        return kinds[kind](inner)
    return value


def lane_of(given: dict[str, Any]) -> lane.Lane:
    return lane.Lane(UNHEX(given["line"]), given["lane"], lane.parse_generation(given["generation"]))


def decode(given: dict[str, Any]) -> dict[str, Any]:
    data = UNHEX(given["data"]) + bytes(given.get("then_zeros", 0))
    value = codec.decode(data)
    assert codec.encode(value) == data
    return {"value": tagged(value)}


def ed25519(given: dict[str, Any]) -> dict[str, Any]:
    key, signature, message = (UNHEX(given[name]) for name in ("key", "signature", "message"))
    crypto.Verifier(key, OWNER.public.mldsa_key).ed25519(signature, message)
    return {"verifies": True}


def inclusion(given: dict[str, Any]) -> dict[str, Any]:
    proof = [UNHEX(part) for part in given["proof"]]
    leaf = merkle.leaf_hash(UNHEX(given["leaf"]))
    return {"root": merkle.root_from_inclusion(given["index"], given["size"], leaf, proof).hex()}


def consistency(given: dict[str, Any]) -> dict[str, Any]:
    proof = [UNHEX(part) for part in given["proof"]]
    merkle.check_consistency(given["old"], given["new"], UNHEX(given["old_root"]), UNHEX(given["new_root"]), proof)
    return {"consistent": True}


def root(given: dict[str, Any]) -> dict[str, Any]:
    peaks = merkle.Peaks()
    for leaf in given["leaves"]:
        peaks, _ = merkle.grown(peaks, merkle.leaf_hash(UNHEX(leaf)))
    return {"root": peaks.root().hex()}


def read_terms(given: dict[str, Any]) -> dict[str, Any]:
    found = terms.parse_terms(UNHEX(given["terms"]))
    return {"line": found.line.hex(), "names": [party.name for party in found.parties]}


def read_card(given: dict[str, Any]) -> dict[str, Any]:
    found = keys.read_card(b64decode(given["card"]))
    return {"name": found.name, "fingerprint": found.fingerprint.hex()}


def statement(given: dict[str, Any]) -> dict[str, Any]:
    owner = crypto.Verifier(UNHEX(given["root"]["ed25519"]), b64decode(given["root"]["mldsa"]))
    generation = lane.parse_generation(given["generation"])
    found = keys.read_statement(b64decode(given["statement"]), UNHEX(given["line"]), given["party"], generation, owner)
    return {"lane_ed25519": found.ed25519_key.hex()}


def psk_name(given: dict[str, Any]) -> dict[str, Any]:
    return {"name": secret_name(UNHEX(given["psk"])).hex()}


def name_of_lane(given: dict[str, Any]) -> dict[str, Any]:
    return {"name": lane_name(crypto.Verifier(UNHEX(given["ed25519"]), b64decode(given["mldsa"]))).hex()}


def word(given: dict[str, Any]) -> dict[str, Any]:
    said = decode_body(Kind.KEYS, UNHEX(given["body"]))
    assert isinstance(said, KeyNotice)
    return {"role": int(said.role), "stolen": said.stolen, "key": said.key.hex(), "peer": said.peer}


def contradiction(given: dict[str, Any]) -> dict[str, Any]:
    found = decode_contradiction(b64decode(given["evidence"]), UNHEX(given["line"]))
    found.check(crypto.Verifier(UNHEX(given["root"]["ed25519"]), b64decode(given["root"]["mldsa"])))
    return {"party": found.party, "counter": found.generation.counter}


def generation(given: dict[str, Any]) -> dict[str, Any]:
    found = lane.parse_generation(given["text"])
    return {"counter": found.counter, "nonce": found.nonce.hex()}


def make_leaf(given: dict[str, Any]) -> dict[str, Any]:
    of, index = lane_of(given), given["index"]
    secret = lane.leaf_secret(UNHEX(given["seed"]), of.number, index)
    kind, time, ack, body = (UNHEX(given[name]) for name in ("kind", "time", "ack", "body"))
    made = lane.leaf_of(of, index, lane.Entry(kind=kind, time=time, ack=ack, body=body, secret=secret))
    return {
        "secret": secret.hex(), "salts": [lane.field_salt(secret, number).hex() for number in lane.FIELDS],
        "leaf": made.hex(), "leaf_hash": merkle.leaf_hash(made).hex(),
    }  # fmt: skip


def leaf_in_place(given: dict[str, Any]) -> dict[str, Any]:
    lane.parse_leaf(lane_of(given), given["index"], UNHEX(given["leaf"]))
    return {"fits": True}


def note(given: dict[str, Any]) -> dict[str, Any]:
    owner = crypto.Verifier(UNHEX(given["keys"]["ed25519"]), b64decode(given["keys"]["mldsa"]))
    found = lane.parse_note(given["note"].encode(), lane_of(given), owner)
    return {"size": found.head.size, "root": found.head.root.hex(), "both": bool(found.mldsa)}


def open_envelope(given: dict[str, Any]) -> dict[str, Any]:
    chain = envelope.first_chain(UNHEX(given["root"]), given["sender"], given["receiver"])
    incoming = envelope.Incoming(envelope.IncomingState(edge=0, chain=chain))
    index, content = incoming.open(UNHEX(given["envelope"]))
    return {"index": index, "content": content.hex()}


def handshake(given: dict[str, Any]) -> dict[str, Any]:
    key = envelope.handshake_key(UNHEX(given["psk"]), UNHEX(given["line"]), given["sender"], given["receiver"])
    return {"content": envelope.open_handshake(key, UNHEX(given["envelope"])).hex()}


def context(given: dict[str, Any]) -> keys.EpochContext:
    parties = {name: UNHEX(given[name]) for name in ("line", "initiator", "responder")}
    return keys.EpochContext(attempt=given["attempt"], **parties)


def share(given: dict[str, Any]) -> dict[str, Any]:
    found = keys.open_share(
        context(given), UNHEX(given["transcript"]), UNHEX(given["offer_seed"]), b64decode(given["sealed"])
    )
    return {"share": found.hex()}


def epoch_root(given: dict[str, Any]) -> dict[str, Any]:
    transcript, (one, two) = UNHEX(given["transcript"]), map(UNHEX, given["shares"])
    found = keys.epoch_root(context(given), transcript, UNHEX(given["base"]), (one, two), UNHEX(given["psk"]))
    return {
        "root": found.hex(), "finish_mac": keys.confirmation(found, transcript, initiator=True).hex(),
        "confirm_mac": keys.confirmation(found, transcript, initiator=False).hex(),
    }  # fmt: skip


def opens(given: dict[str, Any]) -> dict[str, Any]:
    committed, nonce, shown = (UNHEX(given[name]) for name in ("commitment", "nonce", "fingerprint"))
    if not opens_commitment(committed, nonce, shown):
        raise Forged("the ring committed to something else")
    return {"opens": True}


def read_aloud(given: dict[str, Any]) -> dict[str, Any]:
    line, ring, pick_up, caller, nonce, called = (
        UNHEX(given[name]) for name in ("line", "ring", "pick_up", "caller", "nonce", "called")
    )
    check = spoken_check(line, ring, pick_up, caller, nonce, called, [UNHEX(leaf) for leaf in given["take_overs"]])
    return {"caller": check.caller, "called": check.called}


def body(given: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind_of(decode_body(given["kind"], UNHEX(given["body"])))}


def signal(given: dict[str, Any]) -> dict[str, Any]:
    found = read_signal(UNHEX(given["line"]), codec.Fields(codec.decode(UNHEX(given["frame"]))))
    assert found is not None
    return {"index": found.index, "to": found.to, "type": found.type, "data": found.data, "after": found.after}


OPERATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "decode": decode, "ed25519": ed25519, "inclusion": inclusion, "consistency": consistency, "root": root,
    "terms": read_terms, "card": read_card, "statement": statement,
    "psk-name": psk_name, "lane-name": name_of_lane, "word": word, "contradiction": contradiction, "generation": generation, "leaf": make_leaf,
    "leaf-in-place": leaf_in_place, "note": note, "envelope": open_envelope, "handshake": handshake, "share": share,
    "epoch-root": epoch_root, "commitment": opens, "spoken-check": read_aloud, "body": body, "signal": signal,
    "derive": lambda given: {
        "output": crypto.derive(UNHEX(given["key"]), given["label"].encode(), UNHEX(given["info"])).hex()
    },
    "extract": lambda given: {"output": crypto.extract(UNHEX(given["salt"]), UNHEX(given["secret"])).hex()},
    "open-seal": lambda given: {
        "output": crypto.open_key(*(UNHEX(given[name]) for name in ("key", "sealed", "associated"))).hex()
    },
    "offer": lambda given: {"public_sha256": crypto.digest(crypto.xwing_public(UNHEX(given["seed"]))).hex()},
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_the_kernel_passes(path: str) -> None:
    case = CASES[path]
    run, expect = OPERATIONS[case["operation"]], case["expect"]
    if "refused" in expect:
        with pytest.raises(Refused) as caught:
            run(case["input"])
        assert caught.value.code == expect["refused"]
    else:
        assert run(case["input"]) == expect


def test_each_vector_is_made_by_a_committed_program_byte_for_byte() -> None:
    """Of pinned ones only what is not random is compared: what they show and expect."""
    made = {case.path: case for case in everything.cases()}
    assert sorted(made) == PATHS
    for path, case in made.items():
        if case.pinned:
            told = json.loads(case.text())
            assert {key: told[key] for key in told if key != "input"} == {
                key: CASES[path][key] for key in CASES[path] if key != "input"
            }, path
        else:
            assert case.text() == (FOLDER / path).read_text(), path


def test_every_group_has_cases_that_pass_and_cases_that_fail() -> None:
    for group in {path.split("/")[0] for path in PATHS}:
        outcomes = {"refused" in CASES[path]["expect"] for path in PATHS if path.startswith(group + "/")}
        assert outcomes == {True, False}, group


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("ed25519/")])
def test_the_plain_verifier_agrees_about_signatures(path: str) -> None:
    given = CASES[path]["input"]
    found = VERIFIER.ed25519(*(UNHEX(given[name]) for name in ("key", "signature", "message")))
    assert found == ("refused" not in CASES[path]["expect"])


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("tree/root")])
def test_the_plain_verifier_agrees_about_roots(path: str) -> None:
    leaves = [merkle.leaf_hash(UNHEX(leaf)) for leaf in CASES[path]["input"]["leaves"]]
    assert VERIFIER.root_of(leaves).hex() == CASES[path]["expect"]["root"]


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path.startswith("leaf/") and CASES[path]["operation"] == "leaf"]
)
def test_the_plain_verifier_agrees_about_leaves(path: str) -> None:
    given, expect = CASES[path]["input"], CASES[path]["expect"]
    start = VERIFIER.leaf_start(f"{given['line']}/{given['lane']}.{given['generation']}")
    commitments = VERIFIER.commitments_of(UNHEX(expect["leaf"]), start, given["index"])
    opened = lane_of(given)
    assert commitments == lane.parse_leaf(opened, given["index"], UNHEX(expect["leaf"]))
    with pytest.raises(VERIFIER.Wrong):
        VERIFIER.commitments_of(UNHEX(expect["leaf"]), start, given["index"] + 1)


def test_a_proof_of_another_leaf_leads_to_another_root() -> None:
    """What a caller compares is the root (4.11): the proof alone says nothing."""
    case = CASES["tree/inclusion-5-in-8.json"]
    given = {**case["input"], "leaf": "00"}
    assert inclusion(given) != case["expect"]
    with pytest.raises(Forged):
        inclusion({**given, "size": 5})


def test_untagging_is_the_inverse_of_tagging() -> None:
    for path in PATHS:
        if path.startswith("codec/") and "value" in CASES[path]["expect"]:
            value = CASES[path]["expect"]["value"]
            assert tagged(untagged(value)) == value
            assert codec.encode(untagged(value)).hex() == CASES[path]["input"]["data"]

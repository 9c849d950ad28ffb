"""Places in config.toml that cannot be meant are refused at the start, by the setting's name and without quoting them."""

import pytest

from openline.kernel.errors import Malformed
from openline.station.config import parse_config

PEER = f"[peers.{'ab' * 32}]\n"
SERIAL = '[[serial]]\nname = "serial-{}"\ndevice = "{}"\n'


def refused(text: str) -> str:
    with pytest.raises(Malformed) as failure:
        parse_config('name = "ALPHA"\n' + text)
    return str(failure.value)


@pytest.mark.parametrize(
    "text, setting",
    [
        ('[tls]\nlisten = ["192.0.2.1:65536"]', "tls.listen"),
        ('[tls]\nlisten = ["here.example:7601"]', "tls.listen"),
        ('[tls]\nlisten = ["192.0.2.1:7601", "2001:db8::1:7601"]', "tls.listen"),
        (PEER + 'tls = ["nonsense"]', "peers.tls"),
        (PEER + 'tls = ["192.0.2.2:0"]', "peers.tls"),
        (PEER + 'tls = ["192.0.2.2:70000"]', "peers.tls"),
        (PEER + 'drop = "shared"', "peers.drop"),
        ("[nats]\nservers = []", "nats.servers"),
        ('[nats]\nservers = ["192.0.2.3:65536"]', "nats.servers"),
        ('[nats]\nservers = ["relay.example:4222"]', "nats.servers"),
        ('[drop]\nout = "share"\ninto = "/mnt/share"', "drop.out"),
        ('[drop]\nout = "/mnt/share"\ninto = "./share"', "drop.into"),
        ("[drop]\nkeep = true", "drop"),
        (SERIAL.format("a", "/dev/ttyS0") + SERIAL.format("b", "/dev/ttyS0"), "serial.device"),
        (SERIAL.format("a", "/dev/ttyS0") + SERIAL.format("b", "/dev/../dev/ttyS0"), "serial.device"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused_by_its_settings_name(text: str, setting: str) -> None:
    said = refused(text)
    assert said.startswith(f"config.toml: {setting}: ")
    for quoted in ("65536", "70000", "nonsense", "example", "/mnt", "ttyS0"):
        assert quoted not in said


def test_places_that_can_be_meant_are_taken() -> None:
    config = parse_config(
        'name = "ALPHA"\n[tls]\nlisten = ["0.0.0.0:0", "[::]:7601"]\n'
        '[nats]\nservers = ["[2001:db8::3]:4222"]\n[drop]\nout = "/mnt/share"\n'
        + PEER
        + 'tls = ["192.0.2.2:7601", "[2001:db8::2]:65535"]\ndrop = "/mnt/other"\n'
        + SERIAL.format("a", "/dev/ttyS0")
        + SERIAL.format("b", "/dev/ttyS1")
    )
    assert config.nats is not None
    assert len(config.serials) == 2

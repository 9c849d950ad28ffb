"""Which faults a run draws from: one profile a class of trouble, and one with all of them.

Numbers are upper bounds. Each seed draws its own below them and leaves some
classes out altogether (swarm testing): a run with everything at once hides
what two faults alone would show.
"""

from dataclasses import dataclass, field, replace

MINUTE = 60_000
HOUR = 60 * MINUTE
WIDE, THIN = 16_384, 270
"""The largest envelopes of a good bearer and of a satellite burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Bounds of what may go wrong, for how long, and to whom."""

    name: str
    parties: tuple[int, ...] = (2, 3)
    chaos_ms: int = 4 * MINUTE
    quiet_ms: int = 6 * MINUTE
    """Healed, until everything must have arrived; then as much again in which it must stay still."""
    entries: int = 40
    # bearers
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay_ms: int = 40
    thin: float = 0.0
    """Chance that a pair has a 270-byte bearer alone (or, as likely, beside a wide one)."""
    bearers: tuple[str, ...] = ()
    """Bearers (tests.sim.bearers) between each pair; the stations then choose among them as in life."""
    outages: float = 0.0
    """Bearers that go down or deaf, a minute."""
    cuts: float = 0.0
    """Partitions, one-way phases and flapping links, a minute."""
    replay: float = 0.0
    """Of the envelopes seen, how many an attacker sends again, flips under their own tag, or joins with noise."""
    flood: int = 0
    # stations
    crash: float = 0.0
    """Chance of a crash between two outputs."""
    crash_at: int = -1
    """Crash between exactly these two outputs of the run, counted over all stations (from the seed)."""
    disk: float = 0.0
    """Chance that a commit fails."""
    latency_ms: int = 20
    clocks: float = 0.0
    """Clock jumps, a minute."""
    restores: float = 0.0
    """Restores, a minute."""
    rotations: float = 0.0
    """New lane keys and new pairing secrets, a minute."""
    both: bool = False
    """Several stations are restored together."""
    forget: float = 0.0
    """Epoch losses, a minute."""
    marks: bool = False
    """Restores may lose the mark too."""
    quota: bool = False
    calls: int = 0
    """How often people call (tests.sim.calling)."""
    lies: tuple[str, ...] = field(default=())
    """One of these liars takes a place on the line."""


_NETWORK = Profile(
    name="network", loss=0.4, duplicate=0.3, corrupt=0.1, delay_ms=8_000, thin=0.2, cuts=1.0, replay=0.1, clocks=0.3
)
_CRASH = Profile(name="crash", loss=0.1, duplicate=0.1, delay_ms=500, crash=0.01, disk=0.02, latency_ms=400, cuts=0.3)
_RESTORE = Profile(
    name="restore", loss=0.1, duplicate=0.1, delay_ms=500, crash=0.002, cuts=0.3, restores=0.6, marks=True, forget=0.2
)

PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile(name="calm"),
        _NETWORK,
        replace(_NETWORK, name="thin", thin=1.0, loss=0.1, delay_ms=2_000, entries=25, chaos_ms=6 * MINUTE),
        _CRASH,
        Profile(name="every-output", parties=(2,), chaos_ms=MINUTE, entries=8, crash_at=0, latency_ms=20),
        replace(_NETWORK, name="clocks", clocks=3.0, crash=0.002, loss=0.1, delay_ms=500),
        _RESTORE,
        replace(_RESTORE, name="both-restored", both=True, restores=0.4),
        replace(_RESTORE, name="epochs-lost", restores=0.0, forget=2.0, both=True, loss=0.3),
        replace(_CRASH, name="rotation", rotations=1.5, crash=0.004, forget=0.3, cuts=0.5),
        Profile(name="flood", flood=3_000, replay=0.3, delay_ms=300, loss=0.05, crash=0.002),
        Profile(name="quota", parties=(2,), quota=True, chaos_ms=HOUR, quiet_ms=12 * HOUR, entries=200, loss=0.1),
        Profile(name="long", parties=(2,), chaos_ms=30 * HOUR, quiet_ms=30 * MINUTE, entries=150, loss=0.1, crash=0.001,
                delay_ms=400, cuts=0.01, clocks=0.005, restores=0.0005, forget=0.0005),
        # what a bearer of 300 bit/s alone can carry in an hour
        Profile(name="thin-300", parties=(2,), bearers=("thin",), loss=0.1, entries=16, chaos_ms=20 * MINUTE,
                quiet_ms=90 * MINUTE, thin=1.0),
        Profile(name="one-way", bearers=("fibre", "diode"), loss=0.2, outages=1.0, delay_ms=500, crash=0.002, quiet_ms=12 * MINUTE),
        Profile(name="bearers", bearers=("fibre", "mail", "thin", "burst"), loss=0.2, outages=1.5, crash=0.002,
                chaos_ms=10 * MINUTE, quiet_ms=40 * MINUTE, entries=25, thin=1.0),
        Profile(name="mail-alone", bearers=("mail",), loss=0.1, chaos_ms=20 * MINUTE, quiet_ms=60 * MINUTE, entries=20),
        replace(_CRASH, name="calls", calls=12, entries=12, crash=0.003, cuts=0.6, loss=0.3, delay_ms=1_500, chaos_ms=8 * MINUTE),
        replace(_RESTORE, name="calls-restored", calls=12, entries=12, restores=0.4, marks=False),
        replace(_NETWORK, name="mixed", loss=0.25, delay_ms=2_000, crash=0.005, disk=0.01, restores=0.2, marks=True,
                forget=0.1, latency_ms=200, chaos_ms=6 * MINUTE),
    )
}  # fmt: skip

LIARS = (
    "two-faces", "rewinds", "blind", "withholds", "poisons", "garbles", "regresses", "wrong-seeds", "greedy",
)  # fmt: skip

for _lie in LIARS:
    PROFILES[f"liar-{_lie}"] = Profile(
        name=f"liar-{_lie}", lies=(_lie,), loss=0.1, duplicate=0.1, delay_ms=500, cuts=0.2, crash=0.001
    )

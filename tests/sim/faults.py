"""What goes wrong, and when: partitions, restores, clocks, attackers on the wire. Planned from the seed."""

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from tests.sim.profiles import MINUTE, THIN

if TYPE_CHECKING:
    from tests.sim.station import Station
    from tests.sim.world import World

DAY = 86_400_000


class Faults:
    """Plans a run's faults into the world's heap; `heal` ends them all."""

    def __init__(self, world: "World") -> None:
        self._world, self._p = world, world.profile
        self._end = self._p.chaos_ms
        for name, rate, act in (
            ("cuts", self._p.cuts, self._cut),
            ("clocks", self._p.clocks, self._clock),
            ("restores", self._p.restores, self._restore),
            ("forget", self._p.forget, self._forget),
            ("disk", self._p.disk, self._full),
            ("rotations", self._p.rotations, self._rotate),
            ("replay", self._p.replay * 20, self._attack),
        ):
            if world.swarm[name]:
                self._plan(name, rate, act)
        if self._p.bearers and self._p.outages:
            self._plan("outages", self._p.outages, self._outage)
        if self._p.restores:
            self._plan("backups", max(self._p.restores, 3 * MINUTE / self._end), self._backup)
        if self._p.flood and world.swarm["flood"]:
            self._plan("flood", 2.0, self._flood)

    def _plan(self, name: str, a_minute: float, act: object) -> None:
        dice, at = self._world.dice(name), 0.0
        while a_minute > 0:
            at += dice.expovariate(a_minute / MINUTE)
            if at >= self._end:
                return
            self._world.at(int(at), act, dice)  # type: ignore[arg-type]

    def _someone(self, dice: Random) -> "Station":
        return dice.choice(self._world.honest_stations())

    # --- the wire ---

    def _cut(self, dice: Random) -> None:
        world = self._world
        if world.healed:
            return
        a, b = dice.choice(sorted(world.ways))
        match dice.randrange(5 if self._p.thin == 1 else 4):
            case 4:
                world.fault("wide bearer lost for good")
                for pair in ((a, b), (b, a)):
                    world.sizes[pair] = (THIN, THIN)
                    if world.ways[pair].largest:
                        world.ways[pair] = replace(world.ways[pair], largest=THIN, smallest=THIN)
                        self._tell(pair)
                return
            case 0:
                pairs, told = [(a, b)], False
                world.fault("one-way phase")
            case 1:
                pairs, told = [(a, b), (b, a)], False
                world.fault("silent partition")
            case 2:
                pairs, told = [(a, b), (b, a)], True
                world.fault("partition")
            case _:
                pairs, told = [way for way in world.ways if a in way], True
                world.fault("station cut off")
        for pair in pairs:
            self._sever(pair, told=told)
        world.at(dice.choice((200, 5_000, 30_000, 90_000, 240_000)), self._mend, pairs)

    def _outage(self, dice: Random) -> None:
        """A bearer between two parties goes down, or loses all though it says it is up."""
        world = self._world
        if world.healed:
            return
        name = dice.choice(self._p.bearers)
        a, b = dice.choice(sorted(world.ways))
        pair = (name, frozenset((a, b)))
        told = dice.random() < 0.6
        world.fault(f"{name} down" if told else f"{name} deaf")
        (world.bearers_down if told else world.bearers_deaf).add(pair)
        world.at(dice.choice((5_000, 60_000, 240_000)), self._outage_ends, pair)
        self._tell_both(a, b)

    def _outage_ends(self, pair: tuple[str, frozenset[int]]) -> None:
        self._world.bearers_down.discard(pair)
        self._world.bearers_deaf.discard(pair)
        self._tell_both(*sorted(pair[1]))

    def _tell_both(self, a: int, b: int) -> None:
        self._tell((a, b))
        self._tell((b, a))

    def _sever(self, pair: tuple[int, int], *, told: bool) -> None:
        way = self._world.ways[pair]
        self._world.ways[pair] = replace(way, cut=True)
        if told:
            self._world.ways[pair] = replace(way, cut=True, largest=0, smallest=0)
            self._tell(pair)

    def _tell(self, pair: tuple[int, int]) -> None:
        self._world.station_for(*pair).linked(pair[1])

    def _mend(self, pairs: list[tuple[int, int]]) -> None:
        for pair in pairs:
            way = self._world.ways[pair]
            if way.cut:
                largest, smallest = self._world.sizes[pair]
                self._world.ways[pair] = replace(way, cut=False, largest=largest, smallest=smallest)
                self._tell(pair)

    def _attack(self, dice: Random) -> None:
        """Somebody on the wire: sends envelopes again, races garbage under a tag it saw, carries them elsewhere."""
        world = self._world
        if world.healed or not world.replayable:
            return
        sender, receiver, envelope = dice.choice(world.replayable)
        match dice.randrange(5):
            case 0 | 1:
                world.fault("replayed")
            case 2:
                world.fault("garbage under a seen tag")
                envelope = envelope[:7] + dice.randbytes(len(envelope) - 7)
            case 3:
                world.fault("reflected")
                sender, receiver = receiver, sender
            case _:
                world.fault("carried to another")
                receiver = dice.choice([party for party in range(world.parties) if party != sender])
        world.deliver(sender, receiver, envelope)

    def _flood(self, dice: Random) -> None:
        world = self._world
        if world.healed:
            return
        receiver = dice.randrange(world.parties)
        world.fault("flood of unknown tags")
        for _ in range(self._p.flood // 4):
            size = dice.choice((256, 256, 1_024, 16_384, 7, 0))
            world.deliver((receiver + 1) % world.parties, receiver, b"\x01"[:size] + dice.randbytes(max(0, size - 1)))

    # --- stations ---

    def _clock(self, dice: Random) -> None:
        if not self._world.healed:
            station = self._someone(dice)
            station.skew += dice.choice((-1, 1)) * dice.choice((1_000, 3_600_000, DAY, 40 * DAY))
            self._world.fault("clock jump", station)

    def _full(self, dice: Random) -> None:
        station = self._someone(dice)
        self._world.full_disks.add(station.party)
        self._world.fault("disk full", station)
        self._world.at(dice.choice((2_000, 15_000)), self._world.full_disks.discard, station.party)

    def _backup(self, dice: Random) -> None:
        """Everybody's nightly backup, at some moment; sometimes a plain copy of the whole disk, epochs and all."""
        station = self._someone(dice)
        station.backups.append(station.store.copy() if dice.random() < 0.2 else station.store.backup())

    def _restore(self, dice: Random) -> None:
        world = self._world
        if world.healed:
            return
        stations = world.honest_stations() if self._p.both and dice.random() < 0.7 else [self._someone(dice)]
        for station in stations:
            if not station.backups:
                continue
            backup = dice.choice(station.backups)
            world.fault("restore" if len(stations) == 1 else "restore of several", station)
            lost = self._p.marks and dice.random() < 0.3
            if lost:
                world.count("restore without a mark")
            if any(peer.epoch for peer in backup.peers.values()) and not lost and not station.is_behind(backup):
                backup = backup.copied(
                    epochs=False
                )  # a copy that the mark cannot tell from the disk is forbidden (13.3)
            station.restore(backup, mark=not lost)

    def _forget(self, dice: Random) -> None:
        """Epochs are lost and nothing else."""
        world = self._world
        if world.healed:
            return
        stations = world.honest_stations() if self._p.both and dice.random() < 0.5 else [self._someone(dice)]
        for station in stations:
            world.fault("epoch lost", station)
            station.store.restore(station.store.backup())
            station.crash("to forget", 100)

    def _rotate(self, dice: Random) -> None:
        """People replace a lane key in mid-traffic, or a pairing secret, which the other floor takes over later or never."""
        world = self._world
        if world.healed:
            return
        station = self._someone(dice)
        if dice.random() < 0.6:
            world.fault("lane key replaced", station)
            station.rotate(world.roots[station.party])
            return
        other = dice.choice([each for each in world.honest_stations() if each is not station])
        psk = dice.randbytes(32)
        world.secrets.add(psk)
        world.fault("pairing secret replaced", station)
        station.pair(other.party, psk)
        if dice.random() < 0.8:
            world.at(dice.choice((0, 3_000, 60_000)), other.pair, station.party, psk)

    # --- the end of it ---

    def _pair_all(self) -> None:
        """Floors that have not both accepted a pairing secret do so: each with each, the same."""
        stations = self._world.stations
        for one in stations:
            for other in stations[one.party + 1 :]:
                psk = one.new_psks.get(other.party) or other.new_psks.get(one.party)
                if psk is not None:
                    one.pair(other.party, psk)
                    other.pair(one.party, psk)

    def heal(self) -> None:
        """All faults end; every station is up; every way is clean."""
        world = self._world
        world.healed = True
        self._pair_all()
        world.note(None, "healed")
        world.full_disks.clear()
        world.bearers_down.clear()
        world.bearers_deaf.clear()
        for pair, (largest, smallest) in world.sizes.items():
            world.ways[pair] = replace(
                world.ways[pair],
                loss=0.0,
                duplicate=0.0,
                corrupt=0.0,
                delay_ms=30,
                cut=False,
                largest=largest,
                smallest=smallest,
            )
        for station in world.all_stations():
            station.recover()
        for pair in world.sizes:
            self._tell(pair)

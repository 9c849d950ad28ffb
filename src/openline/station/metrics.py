"""Numbers for Prometheus: of what, how many; never what was said, where a peer is, or a line's id.

Counted in plain integers where it happens; only who asks pays for the rest.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from openline.station.line_view import state_of
from openline.station.runtime import Station

STATES = ("opening", "in service", "degraded", "fault", "suspended", "stopped")


class _Family(Protocol):
    def add_metric(self, labels: list[str], value: float) -> None: ...


def exposition(station: Station) -> bytes:
    """All metrics in Prometheus's text form."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(station))  # type: ignore[arg-type]  # a collector by its one method
    return generate_latest(registry)


class _Collector:
    def __init__(self, station: Station) -> None:
        self._station = station

    def collect(self) -> Iterator[_Family]:
        """Every family."""
        yield from self._of_station()
        yield from self._of_lines()
        yield from self._of_bearers()
        yield from self._of_alarms()

    def _of_station(self) -> Iterator[_Family]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        station = self._station
        yield GaugeMetricFamily("openline_lines", "Lines of this station", value=len(station.lines))
        yield GaugeMetricFamily("openline_simulated_clock", "1 if nothing here is live", value=station.clock.simulated)
        yield GaugeMetricFamily("openline_streams", "Open event streams", value=len(station.feed))
        yield GaugeMetricFamily(
            "openline_disk_slow", "1 while commits run in a thread", value=station.committer.in_thread
        )
        yield CounterMetricFamily("openline_streams_cut", "Event streams cut for slowness", value=station.feed.cut)
        yield CounterMetricFamily("openline_commits", "Durable commits", value=station.committer.commits)
        yield CounterMetricFamily("openline_commit_seconds", "Time in commits", value=station.committer.seconds)
        events = CounterMetricFamily("openline_events", "What happened, by name", labels=["event"])
        for name, count in sorted(station.counters.items()):
            events.add_metric([name], count)
        yield events

    def _of_lines(self) -> Iterator[_Family]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        station = self._station
        state = GaugeMetricFamily("openline_line_state", "1 for the state that a line is in", labels=["line", "state"])
        entries = CounterMetricFamily("openline_line_entries", "Entries made durable since the start", labels=["line"])
        held = GaugeMetricFamily(
            "openline_line_owed", "Own entries that a party has not acknowledged", labels=["line", "party"]
        )
        trip = GaugeMetricFamily("openline_line_round_trip_ms", "Smoothed round trip", labels=["line", "party"])
        calls = CounterMetricFamily(
            "openline_calls", "Calls that are over, since the start", labels=["line", "outcome"]
        )
        for line in station.lines.values():
            for outcome, count in sorted(station.calling.outcomes(line).items()):
                calls.add_metric([line.label, outcome], count)
            now, _ = state_of(station, line)
            for each in STATES:
                state.add_metric([line.label, each], float(each == now))
            entries.add_metric([line.label], line.entries)
            engine = line.engine
            if engine is None:
                continue
            own = [engine.book.own(urgent=urgent) for urgent in (True, False)]
            for party, peer in engine.peers.items():
                owed = sum(max(0, lane.durable - peer.holds.get(lane.lane.key, 0)) for lane in own)
                held.add_metric([line.label, line.names[party]], owed)
                trip.add_metric([line.label, line.names[party]], peer.smoothed_ms)
        yield from (state, entries, held, trip, calls)

    def _of_bearers(self) -> Iterator[_Family]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        station = self._station
        links = GaugeMetricFamily("openline_bearer_links", "Links that are up", labels=["bearer"])
        sent = CounterMetricFamily("openline_bearer_envelopes_sent", "Envelopes taken", labels=["bearer"])
        received = CounterMetricFamily("openline_bearer_envelopes_received", "Envelopes brought", labels=["bearer"])
        out = CounterMetricFamily("openline_bearer_bytes_sent", "Bytes of envelopes taken", labels=["bearer"])
        back = CounterMetricFamily("openline_bearer_bytes_received", "Bytes of envelopes brought", labels=["bearer"])
        for name in station.links.bearers:
            states = [state for (bearer, _), state in station.links.states.items() if bearer == name]
            links.add_metric([name], sum(state.up for state in states))
            sent.add_metric([name], sum(state.sent for state in states))
            received.add_metric([name], sum(state.received for state in states))
            out.add_metric([name], sum(state.sent_bytes for state in states))
            back.add_metric([name], sum(state.received_bytes for state in states))
        events = CounterMetricFamily("openline_bearer_events", "Events of bearers", labels=["bearer", "event"])
        for (name, event), count in sorted(station.links.counters.items()):
            events.add_metric([name, event], count)
        yield from (links, sent, received, out, back, events)

    def _of_alarms(self) -> Iterator[_Family]:
        from prometheus_client.core import GaugeMetricFamily

        calls = self._station.alarms.calls
        is_open = GaugeMetricFamily("openline_alarms_open", "Alarms that nobody has acknowledged", labels=["kind"])
        kinds = Counter(str(alarm.key.kind) for alarm in calls.book.live() if alarm.state.value == "open")
        for kind, count in sorted(kinds.items()):
            is_open.add_metric([kind], count)
        works = GaugeMetricFamily("openline_alarm_path_works", "1 if the last call was taken", labels=["path"])
        taken = GaugeMetricFamily(
            "openline_alarm_path_taken_seconds", "When a call was taken last, seconds since 1970", labels=["path"]
        )
        for name, path in calls.paths.items():
            works.add_metric([name], not path.state.failure)
            if path.state.succeeded_at is not None:
                taken.add_metric([name], path.state.succeeded_at / 1_000)
        undelivered = GaugeMetricFamily(
            "openline_alarms_undelivered", "Open alarms that no path has taken", value=calls.undelivered()
        )
        yield from (is_open, works, taken, undelivered)

"""Faults of whole bearers: each cut or broken while the others carry, all cut, and each as the only one left.

Where one is left, all that is said goes over it: what must get through then
gets through there or nowhere.
"""

from tests.e2e.chaos.at_cables import mend
from tests.e2e.chaos.fault import Act, Fault, Step, nothing, victim
from tests.e2e.chaos.moments import let_pass
from tests.e2e.chaos.sites import Sites
from tests.e2e.chaos.ways import TLS

FULL = ("452 4.2.2 the mailbox is full", "552 5.2.2 the mailbox is full")
_BEARER = {"nats": "nats", "serial": "serial", "mail": "mail", **dict.fromkeys(TLS, "tls")}


def _cut_of(*names: str) -> Fault:
    """These are cut; the other bearers carry."""

    def strike(sites: Sites, _step: Step) -> None:
        sites.ways.cut(*names)

    back = tuple(dict.fromkeys(_BEARER[name] for name in names))
    return Fault(strike=strike, heal=mend, hold_s=(0.5, 10), passes=len(back) < 4, route="every", bearers=back)


def _broken(bearer: str, strike: Act, heal: Act) -> Fault:
    """That is done to one bearer; the others carry."""
    return Fault(strike=strike, heal=heal, hold_s=(0.5, 12), passes=True, route="every", bearers=(bearer,))


def _only(way: str, meanwhile: Act = nothing) -> Fault:
    """That way is the only one, and something happens to it; it must carry when that is over."""

    def strike(sites: Sites, step: Step) -> None:
        sites.ways.only(way)
        meanwhile(sites, step)

    return Fault(strike=strike, heal=mend, hold_s=(1, 6), passes=True, route="every", thin=True)


def _for_a_while(strike: Act, heal: Act) -> Act:
    """For up to twelve seconds: shorter and longer than what bearers count as silence."""

    def meanwhile(sites: Sites, step: Step) -> None:
        strike(sites, step)
        let_pass(0.5 + 11.5 * step.amount)
        heal(sites, step)

    return meanwhile


# --- NATS ---


def _kill_relay(sites: Sites, _step: Step) -> None:
    sites.relay.kill()


def _start_relay(sites: Sites, _step: Step) -> None:
    sites.relay.start()


def _freeze_relay(sites: Sites, _step: Step) -> None:
    sites.relay.freeze()


def _thaw_relay(sites: Sites, _step: Step) -> None:
    sites.relay.thaw()


def _forget(sites: Sites, _step: Step) -> None:
    sites.relay.forget()


# --- the serial cable ---


def _unplug(sites: Sites, step: Step) -> None:
    sites.ways.hurt("serial")
    sites.cord.unplug(step.victim)


def _plug_in(sites: Sites, _step: Step) -> None:
    sites.cord.heal()


def _noise(sites: Sites, step: Step) -> None:
    """Up to one byte in five hundred."""
    sites.ways.hurt("serial")
    sites.cord.noise(0.0001 + 0.0019 * step.amount)


# --- mail ---


def _kill_post(sites: Sites, _step: Step) -> None:
    sites.post.kill()


def _start_post(sites: Sites, _step: Step) -> None:
    sites.post.start()


def _full(sites: Sites, step: Step) -> None:
    """For now, or for good, as servers say it."""
    sites.post.full(FULL[step.number % 2])


def _emptied(sites: Sites, _step: Step) -> None:
    sites.post.full("")


# --- a station, a folder, sticks ---


def _restart(sites: Sites, step: Step) -> None:
    """kill -9, and a start with nothing but that bearer."""
    station = victim(sites, step)
    station.kill()
    let_pass(step.amount)
    station.start()


def _by_folder(mischief: str = "", *, passes: bool = True) -> Fault:
    """A folder that both reach is all there is, and somebody meddles with it."""

    def strike(sites: Sites, _step: Step) -> None:
        sites.share.mount(mischief)
        sites.ways.only()

    def heal(sites: Sites, _step: Step) -> None:
        sites.ways.mend()
        sites.share.pull()

    return Fault(strike=strike, heal=heal, hold_s=(2, 10), passes=passes)


def _by_sticks(*, clumsy: bool = False) -> Fault:
    """Somebody carries sticks, and nothing else carries anything."""

    def strike(sites: Sites, _step: Step) -> None:
        sites.ways.only()
        sites.courier.leave(clumsy=clumsy)

    def heal(sites: Sites, _step: Step) -> None:
        sites.ways.mend()
        sites.courier.return_()

    return Fault(strike=strike, heal=heal, hold_s=(1, 3), passes=True, thin=True)


AT_BEARERS: dict[str, Fault] = {
    "all-cut": _cut_of(*TLS, "nats", "serial", "mail"),
    "tls-cut": _cut_of(*TLS),
    "nats-cut": _cut_of("nats"),
    "nats-killed": _broken("nats", _kill_relay, _start_relay),
    "nats-frozen": _broken("nats", _freeze_relay, _thaw_relay),
    "nats-forgets": _broken("nats", _forget, nothing),
    "serial-cut": _cut_of("serial"),
    "serial-unplugged": _broken("serial", _unplug, mend),
    "serial-noise": _broken("serial", _noise, mend),
    "mail-cut": _cut_of("mail"),
    "mail-killed": _broken("mail", _kill_post, _start_post),
    "mail-full": _broken("mail", _full, _emptied),
    "only-nats": _only("nats"),
    "only-nats-killed": _only("nats", _for_a_while(_kill_relay, _start_relay)),
    "only-nats-frozen": _only("nats", _for_a_while(_freeze_relay, _thaw_relay)),
    "only-nats-forgets": _only("nats", _forget),
    "only-nats-restart": _only("nats", _restart),
    "only-serial": _only("serial"),
    "only-serial-unplugged": _only("serial", _for_a_while(_unplug, _plug_in)),
    "only-serial-noise": _only("serial", _noise),
    "only-serial-restart": _only("serial", _restart),
    "only-mail": _only("mail"),
    "only-mail-killed": _only("mail", _for_a_while(_kill_post, _start_post)),
    "only-mail-full": _only("mail", _for_a_while(_full, _emptied)),
    "only-mail-restart": _only("mail", _restart),
    "only-sticks": _by_sticks(),
    "only-sticks-clumsy": _by_sticks(clumsy=True),
    "folder-alone": _by_folder(),
    "folder-repeats": _by_folder("repeat"),
    "folder-delays": _by_folder("delay"),
    "folder-flips-bits": _by_folder("flip", passes=False),
    "folder-loses": _by_folder("lose", passes=False),
}

"""How much of what was spoken can be understood in what was received: STOI, after the two were laid beside one another.

STOI (short-time objective intelligibility; Taal et al. 2011, as pystoi has it)
compares envelopes in 15 bands over 384 ms at a time: 1 is the same sound, 0
nothing in common. It needs the two aligned to some milliseconds. A receiver
stretches and shortens sound as its delay changes, so the alignment is found
anew for each piece of half a second, near that of the piece before.

`heard` is the share of one-second windows of speech that are understood on
their own: of speech that is cut off halfway it says one half, whatever the mean.
"""

from dataclasses import dataclass

import numpy as np
from pystoi import stoi

from tests.e2e.call_sound.speech import RATE, Samples

UNDERSTOOD = 0.6
"""From here on a window of speech is understood; speech of another voice, noise and silence stay below 0.45."""
_PIECE, _NEAR = RATE // 2, RATE // 8
_WINDOW = RATE
_SILENCE = 0.002
"""Root of the mean square below which a loop of LOUDNESS 0.08 pauses."""
_FRAME, _RANGE = RATE // 40, 0.01
"""STOI leaves out frames that are 40 dB below the loudest, and then needs 384 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """STOI of all that was received; the share of its seconds that are understood; where in the loop it began."""

    stoi: float
    heard: float
    began_s: float

    @property
    def understood(self) -> bool:
        """Whether it is that speech, from the first to the last second."""
        return self.stoi >= UNDERSTOOD and self.heard >= 0.8


def likeness(loop: Samples, received: Samples) -> Likeness:
    """Lay what was received beside that loop; both at RATE. At least two seconds are needed."""
    assert len(received) >= 2 * RATE, "two seconds of sound are the least"
    began = _place(np.resize(loop, len(received) + len(loop)), received)
    beside = _beside(loop, received, began)
    windows = [
        _stoi(beside[at : at + _WINDOW], received[at : at + _WINDOW])
        for at in range(0, len(received) - _WINDOW + 1, _WINDOW // 2)
        if _spoken(beside[at : at + _WINDOW])
    ]
    heard = sum(each >= UNDERSTOOD for each in windows) / len(windows)
    return Likeness(stoi=_stoi(beside, received), heard=heard, began_s=began % len(loop) / RATE)


def _beside(loop: Samples, received: Samples, began: int) -> Samples:
    """What was spoken while that was received, piece by piece."""
    pieces, place = [], began
    for at in range(0, len(received), _PIECE):
        piece = received[at : at + _PIECE]
        around = loop[np.arange(place - _NEAR, place + _NEAR + len(piece)) % len(loop)]
        if len(piece) == _PIECE and np.sqrt(np.mean(around**2)) > _SILENCE:
            place += _place(around, piece) - _NEAR
        pieces.append(loop[np.arange(place, place + len(piece)) % len(loop)])
        place += len(piece)
    return np.concatenate(pieces)


def _place(long: Samples, short: Samples) -> int:
    """Where in `long` there is most of `short`: the maximum of their correlation over the energy there."""
    size = 1 << (len(long) + len(short)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)
    places = len(long) - len(short)
    summed = np.concatenate([[0.0], np.cumsum(long**2)])
    energy = summed[len(short) :][: places + 1] - summed[: places + 1]
    return int(np.argmax(correlation[: places + 1] / np.sqrt(energy + 1e-3)))


def _spoken(window: Samples) -> bool:
    """Whether a window holds enough speech to be judged alone: two thirds of it."""
    frames = np.sqrt(np.mean(window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME) ** 2, axis=1))
    return bool(frames.max() > _SILENCE and np.mean(frames > _RANGE * frames.max()) > 2 / 3)


def _stoi(spoken: Samples, received: Samples) -> float:
    """STOI; 0 of silence, of which it is not defined."""
    if np.sqrt(np.mean(received**2)) < _SILENCE:
        return 0.0
    return float(stoi(spoken, received, RATE))

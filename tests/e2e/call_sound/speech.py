"""What the fake microphones of a call hear: known speech, made by espeak-ng, another voice and other words for each seat.

Chromium plays such a file in a loop, from the moment the page opens its
microphone. So a loop is one sentence with a pause after it, and what a
receiving page recorded is compared with the loop from any beginning.
"""

import io
import shutil
import subprocess
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

RATE = 16_000
"""Samples a second of everything that is compared: speech has nothing above 8 kHz that is needed to understand it."""
PAUSE_S = 0.3
LOUDNESS = 0.08
"""Root of the mean square of a loop, so that no voice is louder than another."""

SENTENCES = (
    ("en-gb", 165, "The convoys passed the northern bridge at noon; nobody was hurt."),
    ("en-us+f3", 175, "We confirm this call, and our officer will read back every word."),
    ("en-gb-scotland+m7", 160, "I am the interpreter; please speak slowly, in short sentences."),
    ("en-gb-x-rp+f2", 170, "Three aircraft turned east over the lake and held their fire."),
)
"""Voice, words a minute and what is said, for up to four seats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A loop of speech: the file that a microphone plays, and its samples at RATE."""

    path: Path
    samples: Samples = field(repr=False)

    @property
    def seconds(self) -> float:
        """How long one turn of the loop lasts."""
        return len(self.samples) / RATE


def missing() -> str | None:
    """Why there is no speech on this machine, or None."""
    return None if shutil.which("espeak-ng") else "no espeak-ng (Debian: espeak-ng)"


def speak(folder: Path, seat: int) -> Spoken:
    """The loop of that seat (0 to 3), as a WAV file in `folder`."""
    voice, words_a_minute, text = SENTENCES[seat]
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdout", text]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(
        io.BytesIO(made)
    ) as file:  # espeak-ng cannot know the length when it writes the head: data is to the end
        rate = file.getframerate()
    start = made.index(b"data") + 8
    samples = at_rate(np.frombuffer(made[start:], dtype="<i2") / 32_768, rate)
    samples = np.concatenate([samples, np.zeros(int(PAUSE_S * RATE))])
    samples *= LOUDNESS / np.sqrt(np.mean(samples**2))
    path = folder / f"seat-{seat}.wav"
    write(path, samples)
    return Spoken(path=path, samples=samples)


def at_rate(samples: Samples, rate: int) -> Samples:
    """The same sound at RATE: what lies above RATE / 2 is taken out, by way of the spectrum."""
    assert rate >= RATE
    wanted = round(len(samples) * RATE / rate)
    made: Samples = np.fft.irfft(np.fft.rfft(samples)[: wanted // 2 + 1], wanted) * (wanted / len(samples))
    return made


def write(path: Path, samples: Samples) -> None:
    """A WAV file: 16 bits, one channel, RATE."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())

"""The bearer over a serial line: two stations, one at each end of a wire or of a call between modems.

limits       what both ends agree on; what follows from the bit rate
framing      where a frame begins, and whether it is whole
outgoing     one channel out: envelopes cut into frames, and what of them is acknowledged
incoming     one channel in: frames put together again
link         all channels, both ends' sessions, all deadlines: no device and no clock
device       the terminal device
modem        the conversation with a modem, before the line stands
bearer       all of it behind the Bearer port
"""

from openline.bearers.serial.bearer import SerialBearer, SerialConfig
from openline.bearers.serial.limits import Event, Pace, pace_for
from openline.bearers.serial.modem import Step

__all__ = ["Event", "Pace", "SerialBearer", "SerialConfig", "Step", "pace_for"]

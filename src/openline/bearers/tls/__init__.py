"""The bearer over TCP with TLS 1.3 and mutually pinned certificates.

limits       what both ends agree on; deadlines and bounds
address      literal addresses
listen       where we are called
wire         one connection: handshake, hello, frames
announced    certificates that peers are about to show
peer         one station: which of its connections is in use
dial         reaching a station that is not linked
pair         the pairing conversation
bearer       all of it behind the Bearer port
"""

from openline.bearers.tls.bearer import TlsBearer, TlsConfig
from openline.bearers.tls.limits import Event, Pace
from openline.bearers.tls.pair import PairStream

__all__ = ["Event", "Pace", "PairStream", "TlsBearer", "TlsConfig"]

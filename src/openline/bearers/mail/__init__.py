"""The bearer over e-mail.

limits       deadlines, bounds, what is counted
config       servers, addresses, certificates
message      envelopes in a mail and out of it: pure
outbox       what waits for one station
dial         reaching a server, and how soon again
smtp         one conversation with the server that takes mails
imap         one conversation with the server that holds the mailbox
outgoing     whose mail goes next
incoming     what lies in the mailbox
bearer       all of it behind the Bearer port
"""

from openline.bearers.mail.bearer import MailBearer
from openline.bearers.mail.config import MailConfig, MailServer, parse_mail_address
from openline.bearers.mail.limits import Event, Pace, Security

__all__ = ["Event", "MailBearer", "MailConfig", "MailServer", "Pace", "Security", "parse_mail_address"]

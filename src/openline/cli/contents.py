"""The table of contents: every command, its group, its module and its one sentence.

Names and sentences stand here so that the list of commands is shown without loading one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command, as the list shows it."""

    name: str
    group: str
    module: str
    short: str

    @property
    def attribute(self) -> str:
        """Its function: `import` and the like would be words of Python, hence the underscore."""
        return f"{self.name}_"


def _group(group: str, module: str, **sentences: str) -> tuple[Entry, ...]:
    return tuple(Entry(name=name, group=group, module=module, short=short) for name, short in sentences.items())


CONTENTS: tuple[Entry, ...] = (
    *_group(
        "Begin",
        "founding",
        init="Make a station: its keys and its folder.",
    ),
    *_group(
        "Begin",
        "pairing",
        card="Show this station's card or fingerprint, to hand to the other floor.",
        pair="Open a line with another station, from its card.",
    ),
    *_group("Begin", "founding", up="Run the station here, until Ctrl-C."),
    *_group("Begin", "console", console="The console in the browser: who may sign in, and how."),
    *_group(
        "The watch",
        "floor",
        status="How things stand, in one sentence; then each line.",
        lines="The lines of this station, in full.",
    ),
    *_group(
        "The watch",
        "bearers",
        bearers="How each bearer stands at both ends; probe one by itself.",
        minimize="Hold back routine traffic on a line under stress, or let it flow.",
    ),
    *_group(
        "The watch",
        "waiting",
        inbox="What waits for this watch, first clock first.",
    ),
    *_group(
        "The watch",
        "floor",
        watch="Say that somebody is on watch here, or nobody.",
        test="Test a line now, as it is tested every hour.",
        suspend="Suspend a line for your side; FLASH still passes.",
        lift="Lift your own suspension.",
        renew="Change the keys of a line now.",
    ),
    *_group(
        "The watch",
        "desk_log",
        handover="Hand over the watch, or take it with every open clock.",
        log="The operators' log of this station: read it, write in it.",
    ),
    *_group(
        "The watch",
        "alarms",
        alarms="Alarms that leave the building: open ones, who is called, and whether that works.",
    ),
    *_group(
        "Messages",
        "sending",
        send="Send a message.",
        service="Send a word to the other operators, apart from the messages.",
        attach="Send a file.",
        save="Save a file that was sent.",
    ),
    *_group(
        "Messages",
        "drafting",
        drafts="Drafts that wait for a second person.",
        release="Release a draft that somebody else wrote.",
        discard="Throw a draft away.",
    ),
    *_group(
        "Messages",
        "reading",
        read="Show a message in full, and say so to its author.",
        find="Find a message by its reference.",
        history="What was said and done on a line.",
        tail="The newest entries, and with -f all that come.",
    ),
    *_group("Messages", "asking", search="Search in all that was said."),
    *_group(
        "Answers",
        "answering",
        receipt="Say that a message was presented, read or relayed.",
        interim="Promise an answer by a moment.",
        decline="Say that no answer will come, and why.",
    ),
    *_group(
        "Answers",
        "asking",
        query="Ask the author about a message, or some of its words.",
        answer="Answer a query about a message of yours.",
        translate="Put a translation beside a message.",
    ),
    *_group(
        "Calls",
        "calling",
        call="Call the other side by voice, decline, or hang up.",
        calls="The calls of a line, and how each ended.",
        minutes="Minutes of a call: draft them, agree, or differ.",
    ),
    *_group(
        "Regular contacts",
        "contacts",
        contacts="What is due, kept and missed, in UTC and local times.",
        contact="Record that a contact took place, or why it did not.",
        countersign="Sign what the other side recorded of a contact.",
        figures="Days since the last contact, tests answered, response times.",
        calendar="An address from which a calendar reads the contacts.",
    ),
    *_group("Regular contacts", "training", train="Train alone, on an exercise line with a scripted station."),
    *_group(
        "By hand",
        "dropping",
        drop="Carry a line's envelopes on a stick.",
    ),
    *_group(
        "Terms",
        "terms",
        propose="Propose other terms for a line.",
        assent="Agree to proposed terms.",
    ),
    *_group(
        "Record and proof",
        "record",
        export="Write a line as a folder that anybody can check.",
        verify="Check an export or a proof; needs no station.",
        prove="Prove one entry, showing only what you choose.",
    ),
    *_group(
        "Care",
        "care",
        doctor="What is wrong here, and what to do.",
        backup="Write an encrypted backup.",
    ),
    *_group("Care", "restoring", restore="Put a backup into a new folder."),
    *_group("Care", "deadman", deadman="Watch stations from outside, and call when one says nothing any more."),
    *_group(
        "Care",
        "keys",
        keys="The keys of this station and its lines; new ones, and stolen ones.",
        papers="Write what the other side needs to rebuild its lost station.",
        rebuild="Make a lost station anew, from its root key.",
    ),
    *_group(
        "Care",
        "care",
        archive="Export a line, then destroy its keys here.",
        version="The version of this program.",
    ),
)

"""The map of the house, as data: which module stands where, and what it may see.

A new module is one line in MAP; a store or a bearer may be a folder (one line, with a slash at its end). A file that is not on the map fails, so that a module is a decision and not an
accident. DESIGN: imports go only upwards on the page.
"""

MAP: dict[str, str] = {
    # The trusted kernel. Each line added here is a line for the auditor.
    "kernel/errors.py": "kernel",
    "kernel/units.py": "kernel",
    "kernel/codec.py": "kernel",
    "kernel/crypto.py": "kernel",
    "kernel/merkle.py": "kernel",
    "kernel/keys.py": "kernel",
    "kernel/terms.py": "kernel",
    "kernel/lane.py": "kernel",
    "kernel/envelope.py": "kernel",
    # Pure behaviour: machines and folds.
    "protocol/entries.py": "protocol",
    "protocol/numbers.py": "protocol",
    "protocol/asking.py": "protocol",
    "protocol/asking_bodies.py": "protocol",
    "protocol/remarks.py": "protocol",
    "protocol/frames.py": "protocol",
    "protocol/fields.py": "protocol",
    "protocol/bodies.py": "protocol",
    "protocol/acknowledgements.py": "protocol",
    "protocol/references.py": "protocol",
    "protocol/amendments.py": "protocol",
    "protocol/quotas.py": "protocol",
    "protocol/delivery.py": "protocol",
    "protocol/engine.py": "protocol",
    "protocol/transcript.py": "protocol",
    "protocol/snapshots.py": "protocol",
    "protocol/ledgers.py": "protocol",
    "protocol/facts.py": "protocol",
    "protocol/clocks.py": "protocol",
    "protocol/commitments.py": "protocol",
    "protocol/contacts.py": "protocol",
    "protocol/contact_entries.py": "protocol",
    "protocol/contact_bodies.py": "protocol",
    "protocol/contact_states.py": "protocol",
    "protocol/body_fields.py": "protocol",
    "protocol/effects.py": "protocol",
    "protocol/call_entries.py": "protocol",
    "protocol/call_bodies.py": "protocol",
    "protocol/call_keys.py": "protocol",
    "protocol/call_signals.py": "protocol",
    "protocol/call_rooms.py": "protocol",
    "protocol/call_gathering.py": "protocol",
    "protocol/call_states.py": "protocol",
    "protocol/call_views.py": "protocol",
    "protocol/calls.py": "protocol",
    "protocol/records.py": "protocol",
    "protocol/generations.py": "protocol",
    "protocol/giving.py": "protocol",
    "protocol/haste.py": "protocol",
    "protocol/hearing.py": "protocol",
    "protocol/succession.py": "protocol",
    "protocol/attachments.py": "protocol",
    "protocol/auditing.py": "protocol",
    "protocol/drafts.py": "protocol",
    "protocol/early.py": "protocol",
    "protocol/epochs.py": "protocol",
    "protocol/pacing.py": "protocol",
    "protocol/probing.py": "protocol",
    "protocol/under_way.py": "protocol",
    "protocol/fragments.py": "protocol",
    "protocol/events.py": "protocol",
    "protocol/fitting.py": "protocol",
    "protocol/folding.py": "protocol",
    "protocol/forks.py": "protocol",
    "protocol/gathering.py": "protocol",
    "protocol/intake.py": "protocol",
    "protocol/introducing.py": "protocol",
    "protocol/lane_state.py": "protocol",
    "protocol/lanes.py": "protocol",
    "protocol/milestones.py": "protocol",
    "protocol/open_epoch.py": "protocol",
    "protocol/rekeying.py": "protocol",
    "protocol/restart.py": "protocol",
    "protocol/sending.py": "protocol",
    "protocol/setup.py": "protocol",
    "protocol/statements.py": "protocol",
    "protocol/secrets.py": "protocol",
    "protocol/vouching.py": "protocol",
    "protocol/transfers.py": "protocol",
    "protocol/wire.py": "protocol",
    "protocol/pairing.py": "protocol",
    "protocol/pairing_messages.py": "protocol",
    "protocol/pairing_outcomes.py": "protocol",
    # A line as a folder that anybody can check: pure functions, and files.
    "archive/export.py": "archive",
    "archive/verify.py": "archive",
    "archive/prove.py": "archive",
    "archive/layout.py": "archive",
    "archive/files.py": "archive",
    "archive/tiles.py": "archive",
    "archive/opened.py": "archive",
    "archive/manifest.py": "archive",
    "archive/members.py": "archive",
    "archive/evidence.py": "archive",
    "archive/entry_text.py": "archive",
    "archive/transcript_text.py": "archive",
    "archive/transcript_check.py": "archive",
    "archive/acks.py": "archive",
    "archive/lane_checks.py": "archive",
    "archive/lane_stages.py": "archive",
    "archive/fixed_checks.py": "archive",
    "archive/verdict.py": "archive",
    "archive/workers.py": "archive",
    # What the station needs of the world.
    "ports.py": "ports",
    "stores/sealing.py": "stores",
    "stores/sqlite/": "stores",
    "stores/postgres.py": "stores",
    "bearers/tls/": "bearers",
    "bearers/certificate.py": "bearers",
    "bearers/outbox.py": "bearers",
    "bearers/listening.py": "bearers",
    "bearers/mail/": "bearers",
    "bearers/nats/": "bearers",
    "bearers/drop/": "bearers",
    "bearers/serial/": "bearers",
    # One process, one loop.
    "station/files.py": "station",
    "station/places.py": "station",
    "station/integrity.py": "station",
    "station/unlock.py": "station",
    "station/keystore.py": "station",
    "station/marks.py": "station",
    "station/cards.py": "station",
    "station/terms_file.py": "station",
    "station/pairing.py": "station",
    "station/meeting.py": "station",
    "station/pairing_records.py": "station",
    "station/papers.py": "station",
    "station/api_pairings.py": "station",
    "station/api_drop.py": "station",
    "station/sticks.py": "station",
    "station/backup.py": "station",
    "station/doctor.py": "station",
    "station/data_key.py": "station",
    "station/erasing.py": "station",
    "station/config.py": "station",
    "station/config_places.py": "station",
    "station/log.py": "station",
    "station/runtime.py": "station",
    "station/alarms/": "station",
    "station/calling/": "station",
    "station/api_alarms.py": "station",
    "station/api_calls.py": "station",
    "station/api.py": "station",
    "station/seen.py": "station",
    "station/archiving.py": "station",
    "station/files_sent.py": "station",
    "station/metrics.py": "station",
    "station/__main__.py": "station",
    "station/answers.py": "station",
    "station/api_acts.py": "station",
    "station/api_entries.py": "station",
    "station/api_lines.py": "station",
    "station/api_streams.py": "station",
    "station/audit.py": "station",
    "station/calls.py": "station",
    "station/catalogues.py": "station",
    "station/card.py": "station",
    "station/api_console.py": "station",
    "station/client.py": "station",
    "station/console.py": "station",
    "station/console_check.py": "station",
    "station/clock.py": "station",
    "station/committer.py": "station",
    "station/drafting.py": "station",
    "station/composing.py": "station",
    "station/grace.py": "station",
    "station/api_drafts.py": "station",
    "station/api_receipts.py": "station",
    "station/api_watch.py": "station",
    "station/handover.py": "station",
    "station/overdue.py": "station",
    "station/api_search.py": "station",
    "station/search.py": "station",
    "station/remarks_view.py": "station",
    "station/spoken.py": "station",
    "station/asking.py": "station",
    "station/api_contacts.py": "station",
    "station/calendar_feed.py": "station",
    "station/contact_answers.py": "station",
    "station/contact_figures.py": "station",
    "station/contact_views.py": "station",
    "station/contacts.py": "station",
    "station/contact_terms.py": "station",
    "station/occurrences.py": "station",
    "station/recurrence.py": "station",
    "station/exercise_words.py": "station",
    "station/entry_view.py": "station",
    "station/feed.py": "station",
    "station/line_runner.py": "station",
    "station/line_host.py": "station",
    "station/line_view.py": "station",
    "station/links.py": "station",
    "station/ways.py": "station",
    "station/bearer_answers.py": "station",
    "station/silence.py": "station",
    "station/minimize.py": "station",
    "station/api_bearers.py": "station",
    "station/probing.py": "station",
    "station/bearers.py": "station",
    "station/bearer_makers.py": "station",
    "station/bearer_tables.py": "station",
    "station/bearer_past.py": "station",
    "station/bearer_state.py": "station",
    "station/main.py": "station",
    "station/stopping.py": "station",
    "station/openapi.py": "station",
    "station/people.py": "station",
    "station/requests.py": "station",
    "station/restores.py": "station",
    "station/rhythm.py": "station",
    "station/server.py": "station",
    "station/setup.py": "station",
    "station/key_ring.py": "station",
    "station/keys.py": "station",
    "station/api_keys.py": "station",
    "station/rebuilding.py": "station",
    "station/line_papers.py": "station",
    # The console in the browser.
    "console/app.py": "console",
    "console/catalogue.py": "console",
    "console/calendars.py": "console",
    "console/attempts.py": "console",
    "console/authority.py": "console",
    "console/desk.py": "console",
    "console/entering.py": "console",
    "console/in_call.py": "console",
    "console/listening.py": "console",
    "console/local.py": "console",
    "console/officers.py": "console",
    "console/own.py": "console",
    "console/pages.py": "console",
    "console/passkeys.py": "console",
    "console/people.py": "console",
    "console/serving.py": "console",
    "console/sessions.py": "console",
    "console/views.py": "console",
    "console/visits.py": "console",
    "cli/keys.py": "cli",
    "cli/alarms.py": "cli",
    "cli/answering.py": "cli",
    "cli/asking.py": "cli",
    "cli/desk_log.py": "cli",
    "cli/deadman.py": "cli",
    "cli/call_lines.py": "cli",
    "cli/calling.py": "cli",
    "cli/care.py": "cli",
    "cli/command.py": "cli",
    "cli/comparing.py": "cli",
    "cli/console.py": "cli",
    "cli/contents.py": "cli",
    "cli/contacts.py": "cli",
    "cli/training.py": "cli",
    "cli/demo.py": "cli",
    "cli/demo_consoles.py": "cli",
    "cli/demo_views.py": "cli",
    "cli/playing.py": "cli",
    "__main__.py": "cli",
    "cli/drafting.py": "cli",
    "cli/dropping.py": "cli",
    "cli/entrance.py": "cli",
    "cli/entry_lines.py": "cli",
    "cli/failures.py": "cli",
    "cli/floor.py": "cli",
    "cli/bearers.py": "cli",
    "cli/founding.py": "cli",
    "cli/inert.py": "cli",
    "cli/language.py": "cli",
    "cli/local.py": "cli",
    "cli/moments.py": "cli",
    "cli/output.py": "cli",
    "cli/pairing.py": "cli",
    "cli/problems.py": "cli",
    "cli/reading.py": "cli",
    "cli/restores.py": "cli",
    "cli/record.py": "cli",
    "cli/restoring.py": "cli",
    "cli/running.py": "cli",
    "cli/scenario.py": "cli",
    "cli/sending.py": "cli",
    "cli/signs.py": "cli",
    "cli/terms.py": "cli",
    "cli/unlocking.py": "cli",
    "cli/waiting.py": "cli",
}

# layer -> the layers it may import. Stores and bearers see neither each other nor their own siblings.
SEES: dict[str, frozenset[str]] = {
    "kernel": frozenset({"kernel"}),
    "protocol": frozenset({"kernel", "protocol"}),
    "ports": frozenset({"kernel", "protocol"}),
    "archive": frozenset({"kernel", "protocol", "archive"}),
    "stores": frozenset({"kernel", "protocol", "ports"}),
    "bearers": frozenset({"kernel", "protocol", "ports"}),
    "station": frozenset({"kernel", "protocol", "archive", "ports", "stores", "bearers", "station"}),
    "console": frozenset({"kernel", "station", "console"}),
    "cli": frozenset(
        {"kernel", "protocol", "archive", "station", "cli"}
    ),  # verify needs no station: only the pure layers
}

# Layers whose files never import one another: a new one must be one file.
STRANGERS = frozenset({"stores", "bearers"})

# A stranger's file or folder is its family (tls.py, tls/...); one that belongs to another family stands here.
FAMILIES: dict[str, str] = {
    "bearers/certificate.py": "tls",
}

# What every store needs stands in one file: a new store seals its rows with it. So does what bearers that queue need,
# and what every server of ours needs to end.
COMMON = frozenset({"stores/sealing.py", "bearers/outbox.py", "bearers/listening.py"})

PURE_LAYERS = frozenset({"kernel", "protocol", "ports"})

# All that the pure layers may import of the standard library: nothing with a clock, a file, a socket or a die.
PURE_STDLIB = frozenset(
    {
        "abc", "array", "base64", "binascii", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib",
        "heapq", "hmac", "itertools", "math", "operator", "re", "string", "struct", "types", "typing", "unicodedata",
    }
)  # fmt: skip

# layer -> third-party packages. The kernel has one, in one file.
LIBRARIES: dict[str, frozenset[str]] = {
    "kernel": frozenset(),
    "protocol": frozenset(),
    "ports": frozenset(),
    "archive": frozenset(),
    "stores": frozenset({"apsw"}),
    "bearers": frozenset(),
    "station": frozenset({"apsw", "cryptography", "httptools", "msgspec", "prometheus_client", "starlette", "uvicorn"}),
    "console": frozenset({"httptools", "msgspec", "starlette", "uvicorn"}),
    "cli": frozenset({"click", "msgspec", "segno"}),
}  # fmt: skip
LIBRARIES_OF: dict[str, frozenset[str]] = {
    "kernel/crypto.py": frozenset({"cryptography"}),
    "stores/sealing.py": frozenset({"cryptography"}),  # rows at rest
    "station/cards.py": frozenset({"segno"}),  # fingerprints as QR
    "bearers/certificate.py": frozenset({"cryptography"}),  # makes the certificate that carries the pinned key
    "console/authority.py": frozenset({"cryptography"}),  # the console's own certificate authority
    "console/passkeys.py": frozenset({"webauthn"}),
    "bearers/mail/smtp.py": frozenset({"aiosmtplib"}),
    "bearers/nats/credentials.py": frozenset({"cryptography"}),  # answers a relay's challenge
}

# Loaded in a fresh interpreter, the pure layers bring in none of these. (Measured: cryptography 50 brings in none.
# `os` and `time` are in every interpreter from the start: only the import rule can keep those out.)
NEVER_LOADED = (
    "asyncio", "socket", "_socket", "ssl", "sqlite3", "apsw", "logging", "random", "secrets", "subprocess",
    "threading", "tempfile", "selectors", "datetime", "msgspec", "click",
)  # fmt: skip

# In the pure layers nobody calls these: the world, or randomness that is not a parameter.
NEVER_CALLED = frozenset(
    {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint", "generate", "generate_key",
     "urandom", "getrandom", "token_bytes"}
)  # fmt: skip

# Pairs of unlike types in an order nobody mistakes; all else is keyword-only from two fields up.
MUTABLE = frozenset({"Batch", "Fetch", "Gathered", "Haste", "Opening", "Sent"})
"""Working state that one machine owns and nobody is handed: what would be copied at every envelope if it were frozen."""
POSITIONAL = frozenset({"Generation", "Peaks"})

KERNEL_LINES = 2_000  # what one auditor reads in a day or two
FUNCTION_LINES = 60
FILE_LINES = 400
TEST_FILE_LINES = 700

# Words that name no thing of the domain.
EMPTY_WORDS = ("manager", "util", "utils", "helper", "helpers", "misc")

# Where one broad except stands: a bug stops one line, visibly, and the others go on.
BROAD_EXCEPT = frozenset({"src/openline/station/runtime.py"})

# The one place of the tests that may sleep: it polls a condition of another process, with a deadline.
SLEEPERS = frozenset({"tests/waiting.py"})

# Must every clause of spec/ be cited by a test? Until this is True it is only counted.
CLAUSES_ENFORCED = True

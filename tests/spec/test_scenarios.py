"""Scenario files: the bundled ones can be played, and a faulty one is refused in one line.

Format: examples/scenarios/README.md. The times of 1967-hotline are compared with
a table that stands here in Washington time, as the source notes print them.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest

from openline.cli import scenario as scenarios
from openline.cli.scenario import Message, Narrate, Presented, Relayed, Scenario, Words
from openline.kernel.errors import Malformed, TooLarge, Unavailable

FOLDER = Path(__file__).parents[2] / "examples" / "scenarios"
BUNDLED = sorted(FOLDER.glob("*.toml"))

HEADER = """
format = 1
name = "small"
title.en = "Small"
[clock]
note.en = "Simulated clock."
[stations.alpha]
name = "ALPHA"
languages = ["en"]
[stations.bravo]
name = "BRAVO"
languages = ["ru"]
"""

QUESTION = """
[[step]]
at = 2025-03-11T07:00:00Z
station = "alpha"
do = "message"
label = "question"
precedence = "priority"
to = "principal"
subject = "A question"
lang = "en"
text = "Will you speak with us?"
"""

RECEIPT = """
[[step]]
at = 2025-03-11T07:01:00Z
station = "bravo"
do = "presented"
of = "question"
role = "watch-officer"
sign = "B4"
"""

SUSPEND = """
[[step]]
at = 2025-03-11T07:02:00Z
station = "bravo"
do = "suspend"
lang = "ru"
text = "Работы."
"""

SMALL = HEADER + QUESTION + RECEIPT


def refusal(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        scenarios.parse(text)
    reason = str(caught.value)
    assert "\n" not in reason
    return reason


def changed(old: str, new: str, text: str = SMALL) -> str:
    """Return `text` with exactly one thing changed."""
    assert text.count(old) == 1
    return text.replace(old, new)


# --- the bundled scenarios


def test_2025_plays_every_act() -> None:
    steps = scenarios.load(FOLDER / "2025-contact.toml").steps
    assert {type(step) for step in steps} == set(get_args(scenarios.Step))


def test_two_scenarios_are_bundled() -> None:
    assert [path.stem for path in BUNDLED] == ["1967-hotline", "2025-contact"]


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_scenario_loads_and_bears_its_files_name(path: Path) -> None:
    assert scenarios.load(path).header.name == path.stem


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_scenario_is_narrated_in_english_french_and_russian(path: Path) -> None:
    scenario = scenarios.load(path)
    words: list[Words] = [scenario.header.title, scenario.header.clock.note]
    for step in scenario.steps:
        narration = step.text if isinstance(step, Narrate) else step.say
        if narration is not None:
            words.append(narration)
    assert len(words) > 20
    assert all(word.fr and word.ru for word in words)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_scenario_speaks_each_sides_own_language(path: Path) -> None:
    scenario = scenarios.load(path)
    own = {"alpha": "en", "bravo": "ru"}
    messages = [step for step in scenario.steps if isinstance(step, Message)]
    assert {(m.station, m.lang) for m in messages} == set(own.items())


# Washington time, as printed: approved, sent, received, sight, to principal, rough, official.
JUNE_1967: dict[str, tuple[int, str, str, str, str, str, str, str, str]] = {
    "d156": (5, "bravo", "", "07:47", "07:59", "08:05", "08:15", "08:30", "10:08"),
    "d157": (5, "alpha", "", "08:15", "08:33", "", "", "", ""),
    "d159": (5, "alpha", "08:47", "08:57", "08:59", "", "", "", ""),
    "d173": (6, "bravo", "", "05:34", "05:43", "05:50", "05:50", "05:54", "06:23"),
    "d183": (6, "alpha", "19:45", "20:23", "20:28", "", "", "", ""),
    "d193": (7, "alpha", "11:00", "11:18", "11:25", "", "", "", ""),
    "d213": (8, "alpha", "11:35", "12:01", "12:05", "", "", "", ""),
    "d216": (8, "bravo", "", "12:20", "12:23", "12:25", "12:30", "12:34", "13:15"),
    "d247": (10, "bravo", "", "09:44", "09:52", "10:00", "10:05", "", ""),
    "d252": (10, "alpha", "10:50", "10:58", "", "", "", "", ""),
}
WASHINGTON = timezone(timedelta(hours=-4))


def shown(moments: list[datetime], day: int) -> str:
    """Return the one moment as printed in the source, or nothing where there is none."""
    assert len(moments) <= 1
    local = [moment.astimezone(WASHINGTON) for moment in moments]
    assert all((moment.year, moment.month, moment.day) == (1967, 6, day) for moment in local)
    return local[0].strftime("%H:%M") if local else ""


def row(scenario: Scenario, label: str, day: int) -> tuple[int, str, str, str, str, str, str, str, str]:
    messages = [step for step in scenario.steps if isinstance(step, Message)]
    own = next(m for m in messages if m.label == label)
    graded = {m.tag: m.at for m in messages if m.about == label}
    presented = [s.at for s in scenario.steps if isinstance(s, Presented) and s.of == label]
    relayed = [s.at for s in scenario.steps if isinstance(s, Relayed) and s.of == label]
    assert all(s.role == "principal" for s in scenario.steps if isinstance(s, Relayed))

    def grade(tag: str) -> str:
        return shown([graded[tag]] if tag in graded else [], day)

    return (
        day,
        own.station,
        shown([own.approved] if own.approved else [], day),
        shown([own.at], day),
        shown(presented, day),
        grade("sight translation"),
        shown(relayed, day),
        grade("rough translation"),
        grade("official translation"),
    )


@pytest.mark.parametrize("label", JUNE_1967)
def test_1967_a_message_has_the_times_that_the_source_notes_record(label: str) -> None:
    scenario = scenarios.load(FOLDER / "1967-hotline.toml")
    assert row(scenario, label, JUNE_1967[label][0]) == JUNE_1967[label]


def test_1967_there_are_ten_originals_and_each_approval_is_narrated_at_its_time() -> None:
    steps = scenarios.load(FOLDER / "1967-hotline.toml").steps
    originals = [step for step in steps if isinstance(step, Message) and step.tag is None]
    assert [m.label for m in originals] == list(JUNE_1967)
    narrated = {step.at for step in steps if isinstance(step, Narrate)}
    assert {m.approved for m in originals if m.approved} <= narrated


# --- what a scenario is


def test_a_tag_stands_in_the_subject_that_is_sent() -> None:
    text = changed('lang = "en"', 'tag = "communiqué"\nlang = "en"')
    step = scenarios.parse(text).steps[0]
    assert isinstance(step, Message)
    assert step.shown_subject == "[COMMUNIQUÉ] A question"


def test_a_narration_falls_back_to_english() -> None:
    title = scenarios.parse(SMALL).header.title
    assert [title.spoken(language) for language in ("en", "fr", "xx")] == ["Small"] * 3


def test_a_moment_before_1970_is_a_negative_instant() -> None:
    assert scenarios.instant(datetime(1967, 6, 5, 11, 47, tzinfo=UTC)) == -81_259_980_000
    assert scenarios.instant(datetime(1970, 1, 1, 0, 0, 1, 5000, tzinfo=UTC)) == 1005


def test_the_clock_may_go_back_as_far_as_the_header_allows_and_no_further() -> None:
    early = changed("2025-03-11T07:01:00Z", "2025-03-11T06:59:30Z")
    assert refusal(early) == "step 2: at: lies further before an earlier step than clock.back_s allows"
    assert scenarios.parse(changed("[clock]", "[clock]\nback_s = 30", early))
    assert refusal(changed("[clock]", "[clock]\nback_s = 29", early)).startswith("step 2: at:")


def test_the_clock_is_compared_with_the_latest_step_not_with_the_last() -> None:
    back = changed("[clock]", "[clock]\nback_s = 60", HEADER)
    steps = [QUESTION.replace("07:00", f"07:0{m}").replace('"question"', f'"q{m}"') for m in (2, 1, 0)]
    assert refusal(back + "".join(steps)).startswith("step 3: at:")


# --- what is refused, and in which words


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ('sign = "B4"', 'sign = "B4"\ncolour = "red"', "step 2: colour: unknown field"),
        ('sign = "B4"', 'sign = "B4"\n"\\u001b[2J" = 1', "step 2: unknown field"),
        ('sign = "B4"', 'sign = "B4"\nsay.de = "Hallo"\nsay.en = "Hello"', "step 2: say.de: unknown field"),
        ('do = "presented"', 'do = "shouted"', "step 2: do: not one of the allowed values"),
        ('do = "presented"\n', "", "step 2: do: missing"),
        ('precedence = "priority"', 'precedence = "urgent"', "step 1: precedence: not one of the allowed values"),
        ('to = "principal"', 'to = "minister"', "step 1: to: not one of the allowed values"),
        ('station = "bravo"', 'station = "charlie"', "step 2: station: not one of the allowed values"),
        ('sign = "B4"\n', "", "step 2: sign: missing"),
        ('sign = "B4"', 'sign = "Ivan"', "step 2: sign: not of the form that README.md gives"),
        ('sign = "B4"', 'sign = "B4\\n"', "step 2: sign: not of the form that README.md gives"),
        ('sign = "B4"', "sign = 4", "step 2: sign: must be text"),
        ('lang = "en"', 'lang = "fr"', "step 1: lang: not a language of this line"),
        ("with us?", "with us?\\u001b[2J", "step 1: text: not of the form that README.md gives"),
        ("A question", "[SERVICE] A question", "step 1: subject: not of the form that README.md gives"),
        ("2025-03-11T07:01:00Z", "2025-03-11T09:01:00+02:00", "step 2: at: must be UTC, with a Z at its end"),
        ("2025-03-11T07:01:00Z", "2025-03-11T07:01:00", "step 2: at: must be UTC, with a Z at its end"),
        ("2025-03-11T07:01:00Z", '"soon"', "step 2: at: not a time such as 2025-03-11T12:00:00Z"),
        ("2025-03-11T07:01:00Z", "2025-03-11", "step 2: at: not a time such as 2025-03-11T12:00:00Z"),
        ('of = "question"', 'of = "answer"', "step 2: of: no earlier step has this label"),
        ('station = "bravo"', 'station = "alpha"', "step 2: of: must name a message of the other station"),
        ('lang = "en"', 'lang = "en"\nanswers = "question"', "step 1: answers: no earlier step has this label"),
        ('lang = "en"', 'lang = "en"\nanswer_by = 2025-03-11T07:00:00Z', "step 1: answer_by: must lie after at"),
        ('lang = "en"', 'lang = "en"\napproved = 2025-03-11T07:00:01Z', "step 1: approved: must not lie after at"),
        ("A question", "A" * 121, "step 1: subject: not of the form that README.md gives"),
        ("format = 1", "format = 2", "header: format: not one of the allowed values"),
        ("format = 1", "format = 1\nauthor = 1", "header: author: unknown field"),
        ('name = "BRAVO"', 'name = "bravo"', "header: stations.bravo.name: not of the form that README.md gives"),
        (
            'languages = ["ru"]',
            "languages = []",
            "header: stations.bravo.languages: must be a list, not empty and not long",
        ),
        ('title.en = "Small"', 'title.fr = "Petit"', "header: title.en: missing"),
        ("[clock]", "[clock]\nback_s = 3601", "header: clock.back_s: not a number in the allowed range"),
        ("format = 1", "format = ", "file: line 2, column 10: this is not TOML"),
    ],
)
def test_a_faulty_scenario_is_refused_by_step_and_field(old: str, new: str, reason: str) -> None:
    assert refusal(changed(old, new)) == reason


def test_a_label_is_used_once() -> None:
    assert refusal(HEADER + QUESTION + QUESTION) == "step 2: label: used before"


def test_a_message_supersedes_only_one_of_its_own_station() -> None:
    other = changed('label = "question"', 'label = "other"\nsupersedes = "question"', QUESTION)
    assert scenarios.parse(HEADER + QUESTION + other)
    foreign = changed('station = "alpha"', 'station = "bravo"', other)
    assert refusal(HEADER + QUESTION + foreign) == "step 2: supersedes: must name a message of the same station"


def test_a_tag_counts_in_the_length_of_the_subject() -> None:
    text = changed("A question", "A" * 117)
    assert scenarios.parse(text)
    assert refusal(changed('lang = "en"', 'tag = "t"\nlang = "en"', text)) == (
        "step 1: subject: longer than 120 characters with its tag"
    )


def test_while_suspended_only_flash_can_be_played() -> None:
    later = QUESTION.replace('"question"', '"later"').replace("07:00", "07:03")
    assert refusal(SMALL + SUSPEND + later) == "step 4: precedence: only flash passes while the line is suspended"
    assert scenarios.parse(SMALL + SUSPEND + later.replace("priority", "flash"))
    lift = SUSPEND.replace("suspend", "lift")
    assert scenarios.parse(SMALL + SUSPEND + lift + later)
    assert refusal(SMALL + lift) == "step 3: do: this station has suspended nothing"
    assert refusal(SMALL + SUSPEND + SUSPEND) == "step 4: do: this station has suspended already"


def test_a_scenario_without_steps_is_refused() -> None:
    assert refusal(HEADER) == "header: step: at least one [[step]] is needed"
    assert refusal("step = [1]\n" + HEADER) == "step 1: must be a table"


def test_nesting_without_end_is_refused() -> None:
    assert refusal("x = " + "[" * 100_000) in {"file: nested too deeply", "file: end of document: this is not TOML"}


def test_a_file_that_is_absent_too_large_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        scenarios.load(tmp_path / "absent.toml")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (scenarios.MAX_FILE_BYTES + 1))
    with pytest.raises(TooLarge):
        scenarios.load(large)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(Malformed):
        scenarios.load(binary)


def test_the_example_in_the_readme_can_be_played() -> None:
    example = (FOLDER / "README.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert len(scenarios.parse(example).steps) == 2


def test_the_readme_names_every_act_and_every_field() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    _, acts = readme.split("### The acts")
    shapes = get_args(scenarios.Step)
    assert len(shapes) == 13
    for shape in shapes:
        assert f"`{shape.__struct_config__.tag}`" in acts
        for field in shape.__struct_fields__:
            assert re.search(rf"[` ]{field}[` ,]", readme), field

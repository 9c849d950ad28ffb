"""WCAG 2.2 A and AA as far as a machine can check it: axe-core, run in the page."""

from pathlib import Path
from typing import Any

from tests.e2e.browser import Seat

_AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
_RUN = """async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const {violations} = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
    return violations.map(({id, nodes}) => ({id, nodes: nodes.map(({html, failureSummary}) => `${html.slice(0, 200)} ${failureSummary}`)}));
}"""


def faults(seat: Seat) -> list[dict[str, Any]]:
    """What breaks a rule on the page as it stands: [{id, nodes}]."""
    if not seat.page.evaluate("'axe' in window"):
        seat.page.evaluate(_AXE)  # past the page's policy, which lets no script in
    found: list[dict[str, Any]] = seat.page.evaluate(_RUN)
    return found

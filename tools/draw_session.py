"""Draws the table of a session's states into docs/session.md, as a picture (Mermaid) and as a table.

Usage: python tools/draw_session.py
"""

from pathlib import Path

from asf.domain.streaming.lifecycle import TRANSITIONS, SessionEvent, SessionState

DOCUMENT = Path(__file__).parents[1] / "docs" / "session.md"

TEXT = """# Session states

Generated from the table in [lifecycle.py](../src/asf/domain/streaming/lifecycle.py) by `make docs`.

{diagram}

{table}
"""


def draw() -> str:
    """Return the document."""
    return TEXT.format(diagram=_diagram(), table=_table())


def _diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {SessionState.WAITING.name}"]
    for state, row in TRANSITIONS.items():
        for target in SessionState:
            events = [event.name for event, to in row.items() if to is target]
            if events:
                lines.append(f"    {state.name} --> {target.name}: {', '.join(events)}")
    lines += [f"    {SessionState.ENDED.name} --> [*]", "```"]
    return "\n".join(lines)


def _table() -> str:
    lines = [
        "| state | " + " | ".join(event.name for event in SessionEvent) + " |",
        "|---" * (len(SessionEvent) + 1) + "|",
    ]
    for state, row in TRANSITIONS.items():
        cells = [row[event].name if event in row else "" for event in SessionEvent]
        lines.append(f"| **{state.name}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(draw())

"""The rows of a benchmark run: printed as they come, kept as a table and as a picture."""

import statistics
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Row:
    """One measurement against its reference."""

    what: str
    value: str
    against: str  # the reference, and how the value compares
    goal: str
    reached: float | None  # 1: the goal exactly; above: better; None: there is no goal


@dataclass
class Table:
    """All rows, by section."""

    sections: dict[str, list[Row]] = field(default_factory=dict)

    def begin(self, section: str) -> None:
        self.sections[section] = []
        print(f"\n{section}")

    def add(self, what: str, value: str, against: str = "", goal: str = "", reached=None) -> None:
        row = Row(what, value, against, goal, reached)
        list(self.sections.values())[-1].append(row)
        mark = "" if reached is None else ("  ok" if reached >= 1 else "  --")
        print(f"  {what:<48} {value:>11}  {against:<46} {goal:<12}{mark}", flush=True)

    def at_most(self, what: str, value: float, unit: str, goal: float | None = None) -> None:
        """A time or size that should be small, where nothing can be compared with."""
        text = f"{value:.3g} {unit}"
        if goal is None:
            return self.add(what, text)
        return self.add(what, text, "", f"<= {goal:g} {unit}", goal / value if value > 0 else 9.0)

    def ratio(
        self,
        what: str,
        ours: list[float],
        name: str,
        theirs: list[float],
        goal: float | None = None,
        weight: float = 1.0,
        calls: int = 1,
    ) -> None:
        """Our median time for one of the `calls` in a run, and how many times as fast as the
        reference that is, with the quartiles of that over the rounds. A run of ours does `weight`
        times as much."""
        seconds = statistics.median(ours)
        times = weight * statistics.median(theirs) / seconds
        rounds = [weight * b / a for a, b in zip(ours, theirs, strict=True)]
        low, _, high = statistics.quantiles(rounds, n=4)
        wanted = "" if goal is None else f">= {goal:g} x"
        reached = None if goal is None else times / goal
        against = f"{times:.2f} x {name} ({low:.2f} to {high:.2f})"
        self.add(what, spoken(seconds / calls), against, wanted, reached)

    def write(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(self.markdown(title), encoding="utf-8")
        (folder / "goals.svg").write_text(self.picture(title), encoding="utf-8")

    def markdown(self, title: str) -> str:
        lines = [f"# {title}"]
        for section, rows in self.sections.items():
            lines += [
                "",
                f"## {section}",
                "",
                "| what | value | against | goal |",
                "|---|---|---|---|",
            ]
            lines += [f"| {r.what} | {r.value} | {r.against} | {r.goal} |" for r in rows]
        return "\n".join(lines) + "\n"

    def picture(self, title: str) -> str:
        """A bar for each row with a goal; a bar that passes the line has reached it."""
        rows = [r for section in self.sections.values() for r in section if r.reached is not None]
        left, line, height = 420, 260, 20
        parts = []
        for k, row in enumerate(rows):
            y = 40 + k * height
            long = min(row.reached, 2.0) * line
            colour = "#3a7d44" if row.reached >= 1 else "#c0533b"
            parts += [
                f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escaped(row.what)}</text>',
                f'<rect x="{left}" y="{y + 3}" width="{long:.0f}" height="13" fill="{colour}"/>',
                f'<text x="{left + long + 6:.0f}" y="{y + 13}">'
                f"{escaped(row.against or row.value)} (goal {escaped(row.goal)})</text>",
            ]
        bottom = 44 + len(rows) * height
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="1240" height="{bottom + 10}" '
                'font-family="sans-serif" font-size="12">',
                '<rect width="100%" height="100%" fill="white"/>',
                f'<text x="{left}" y="22" font-size="15">{escaped(title)}</text>',
                *parts,
                f'<path d="M{left + line} 34V{bottom}" stroke="black" stroke-dasharray="4 3"/>',
                "</svg>\n",
            ]
        )


def spoken(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Tables of the README from results.json: `write` replaces what stands between the two marks."""

from pathlib import Path
from typing import Any

from tsgen.complete_files import write_text

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def write(readme: Path, results: dict[str, Any]) -> None:
    text = readme.read_text(encoding="utf-8")
    parts = {"width": width_table, "score": score_table, "series": series_table}
    body = "\n".join(make(results[kind]) for kind, make in parts.items() if kind in results)
    write_text(readme, text.split(BEGIN)[0] + BEGIN + "\n" + body + END + text.split(END)[1])


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def with_error(value: float, error: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def width_table(found: dict[str, Any]) -> str:
    rows = []
    for moment in (name for name in found if name.startswith(("at ", "after "))):
        line = found[moment]
        slopes = [with_error(line[k], line[f"{k}, standard error"], 3) for k in ("slope", "slope from 1024")]
        ends = [f"{line['rms_distance'][str(width)]:.4f}" for width in (64, 1024, 8192)]
        rows.append([moment, *slopes, *ends, f"{line['rms_prediction']:.3f}"])
    header = ["moment", "slope, 64 to 8,192", "slope, 1,024 to 8,192", "distance at 64", "at 1,024", "at 8,192", "size"]
    return table(header, rows)


def score_table(found: list[dict[str, Any]]) -> str:
    rows = []
    for line in sorted(found, key=lambda entry: (entry["setting"], entry["n"], entry["law"])):
        ratios = [
            with_error(line[f"{error} ratio"], line[f"{error} ratio standard error"], 3)
            for error in ("velocity", "score")
        ]
        compared = [line.get(f"velocity ratio at the critical time, {kind} radius") for kind in ("estimated", "unit")]
        rows.append(
            [line["setting"], str(line["n"]), line["law"], str(line["seeds"]), ratios[0]]
            + [f"{line['velocity worst ratio']:.2f}", f"{line['velocity end_ratio']:.2f}", ratios[1]]
            + [f"{line['score end_ratio']:.2f}"]
            + ["-" if value is None else f"{value:.2f}" for value in compared]
            + [str(line.get("stops beyond the last step", "-"))]
        )
    header = ["setting", "samples", "law", "seeds", "error at the stop / best", "worst seed", "at the end / best"]
    header += ["score weight: stop / best", "end / best", "critical time", "critical time, norm 1"]
    header += ["stops beyond 20,000 steps"]
    return table(header, rows)


def series_table(found: list[dict[str, Any]]) -> str:
    rows = []
    for line in found:
        difference = with_error(line["ntk minus held_out, x 1e-3"], line["ntk standard error, x 1e-3"], 2)
        steps = [", ".join(map(str, line.get(name, ["-"]))) for name in ("held_out_steps", "ntk_steps")]
        rows.append([line["part"], str(line["seeds"]), f"{line['held-out stopping, loss']:.4f}", difference, *steps])
    header = ["part", "seeds", "loss, held-out stopping", "rule minus held-out, thousandths", "steps, held-out"]
    return table([*header, "steps, rule"], rows)

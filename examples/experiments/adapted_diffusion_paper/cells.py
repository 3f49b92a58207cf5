"""What is run, in the order of importance: one cell is one fit on one target with one seed."""

from typing import NamedTuple

SEEDS = (0, 1, 2, 3, 4)


class Cell(NamedTuple):
    """One fit and what it is judged on."""

    study: str
    target: str
    horizon: int
    n_training: int
    preset: str
    seed: int
    lookback: int | None = None
    width: int | None = None

    @property
    def name(self) -> str:
        """File name of the part."""
        extra = "".join(f"_{k}{v}" for k, v in (("lookback", self.lookback), ("width", self.width)) if v is not None)
        return f"{self.study}_{self.target}{self.horizon}_n{self.n_training}_{self.preset}{extra}_seed{self.seed}"


def main_cells() -> list[Cell]:
    """The published experiments."""
    settings = [("gp", 32), ("arma", 40), ("arma", 100), ("arma", 60), ("arma", 80), ("arma", 500)]
    cells = [
        Cell("main", target, horizon, 2048, preset, seed)
        for seed in SEEDS
        for preset in ("default", "paper")
        for target, horizon in settings
    ]
    wealth = [Cell("wealth", "index", 126, 40, preset, seed) for seed in SEEDS for preset in ("default", "paper")]
    return cells + wealth


def scaling_cells() -> list[Cell]:
    """Error against training paths, truncation length and width, on the Gaussian process; three seeds."""
    few = SEEDS[:3]
    paths = [
        Cell("paths", "gp", 32, n, preset, seed)
        for seed in few
        for preset in ("default", "paper")
        for n in (128, 256, 512, 1024, 4096)
    ]
    lookbacks = [Cell("lookback", "gp", 32, 2048, "paper", s, lookback=k) for s in few for k in (1, 2, 4, 8)]
    widths = [Cell("width", "gp", 32, 2048, "paper", s, width=k) for s in few for k in (8, 16, 32, 64)]
    return paths + lookbacks + widths


def order_of(cell: Cell) -> tuple[int, int, int, int]:
    """Most information per minute first: cheap cells on all seeds, then seed by seed, the longest paths late."""
    slow, longest = cell.preset == "paper", cell.horizon == 500
    study = {"main": 0, "wealth": 1, "paths": 3, "lookback": 2, "width": 2}[cell.study]
    if cell.study == "main" and not slow and not longest:
        tier = 0
    elif cell.study == "wealth" and cell.seed == 0:
        tier = 1
    elif cell.study == "paths" and not slow:
        tier = 2
    else:
        tier = 3
    delay = 5 if slow and longest else 1 if longest else 0
    return (tier, cell.seed + delay, study, int(slow))


def all_cells() -> list[Cell]:
    """Every cell, most important first."""
    return sorted(main_cells() + scaling_cells(), key=order_of)

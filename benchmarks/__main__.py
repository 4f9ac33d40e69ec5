"""`make bench`: every measurement against its peer and its limit, in one run; `make bench ONLY=grad_cam` for one."""

import sys
from importlib import import_module

import torch
from rich.console import Console
from rich.table import Table

NAMES = ("grad_cam", "many", "recording", "ascent", "transfer", "style", "occlusion", "integrated", "command_line")


def main(names: list[str]) -> None:
    """Print the tables of the named measurements."""
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; compare ratios, not seconds")
    for name in names or NAMES:
        module = import_module(f"benchmarks.{name}")
        first, *others = module.rows()
        table = Table(*first, title=str(module.__doc__).splitlines()[0], title_justify="left")
        for row in others:
            table.add_row(*row)
        console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])

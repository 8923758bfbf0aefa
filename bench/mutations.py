"""Whether a test fails when a sign of a likelihood, or a factor of a variance, is wrong.

    python -m bench.mutations [--only stats/ties.py ...] [--every N]

Takes the functions below one by one, and in each every sum for a difference, every product for a quotient, every minus
away and every number for its successor (so that a square becomes a cube), and runs the tests that hold the file, in a
copy of the tree. Prints each change that no test notices, and how many there were. Needs `fork`, so no Windows.
"""

import argparse
import ast
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy  # noqa: F401  (imported once, for all the processes that are forked)
import pytest
import scipy.linalg
import scipy.sparse.csgraph
import scipy.special  # noqa: F401

ROOT = Path(__file__).parents[1]
SECONDS = 240  # that the tests may take: a fit that never ends is noticed, too
TARGETS = {  # the file, its functions, the files of tests that hold them
    "bradley_terry": (("half_points", "_newton_step", "_slopes"), ("bradley_terry",)),
    "laplacian": (("laplacian", "squeezed", "in_gauge"), ("laplacian", "uncertainty")),
    "uncertainty": (
        (
            "difference",
            "_residuals",
            "_covariance",
            "sandwich_covariance",
            "prior_share",
            "_standard_errors_of_differences",
        ),
        ("uncertainty",),
    ),
    "ties": (
        ("outcome_probabilities", "_slopes_of_rao_kupper", "_slopes_of_davidson", "bordered", "_per_item", "_gradient"),
        ("ties", "tie_uncertainty"),
    ),
    "tie_uncertainty": (("_believed", "_of_estimate", "_uncertainty", "_meat"), ("tie_uncertainty",)),
    "covariate_passes": (
        ("residuals", "ends", "log_odds", "_sums", "add", "matrix"),
        ("covariates", "covariate_uncertainty"),
    ),
    "covariate_uncertainty": (
        ("in_points", "covariate_sandwich", "_prior_meat", "_shortfall", "_binary_variance", "_uncertainty"),
        ("covariate_uncertainty",),
    ),
    "clusters": (("cluster_meat", "_sums"), ("covariate_uncertainty", "tie_uncertainty")),
}
OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}


def places(tree: ast.AST, functions: tuple[str, ...]) -> list[ast.AST]:
    """The operators and numbers in these functions, in the order of the file."""
    inside = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name in functions]
    if missing := set(functions) - {each.name for each in inside}:
        raise SystemExit(f"There are no functions {', '.join(sorted(missing))}: bring TARGETS up to date.")
    found = [node for function in inside for part in function.body for node in ast.walk(part) if can_change(node)]
    return sorted(set(found), key=lambda node: (node.lineno, node.col_offset, node.end_col_offset))


def can_change(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub)
    return isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OTHER


def change(node: ast.AST) -> None:
    if isinstance(node, ast.Constant):
        node.value = node.value + 1
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    else:
        node.op = OTHER[type(node.op)]()


def changes(source: str, functions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What was changed, and the file with it."""
    for number in range(len(places(ast.parse(source), functions))):
        tree = ast.parse(source)
        node = places(tree, functions)[number]
        before = ast.unparse(node)
        change(node)
        yield f"line {node.lineno}: {before}  ->  {ast.unparse(node)}", ast.unparse(tree)


def noticed(tree: Path, tests: tuple[str, ...]) -> bool:
    """Whether one of the tests fails, in a process that has numpy and scipy already."""
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            os._exit(tested(tree, tests))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != pytest.ExitCode.OK


def tested(tree: Path, tests: tuple[str, ...]) -> int:
    """Pytest's exit code; the settings of Django are not needed here, and take longer than the tests."""
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    alone = ["-p", "no:django", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tree)]
    options = ["-x", "-q", *alone, "--confcutdir", "tests/stats", "--import-mode", "importlib", "-o", "pythonpath=."]
    limit = ["--timeout", str(SECONDS), "--timeout-method", "thread", "--hypothesis-seed", "0"]
    return int(pytest.main([*options, *limit, *(f"tests/stats/test_{name}.py" for name in tests)]))


def survivors(tree: Path, name: str, *, every: int) -> Iterator[tuple[str, bool]]:
    """Each change to a file, and whether a test noticed."""
    functions, tests = TARGETS[name]
    path = tree / "stats" / f"{name}.py"
    source = path.read_text(encoding="utf-8")
    if noticed(tree, tests):
        raise SystemExit(f"The tests of stats/{name}.py fail already.")
    for number, (what, changed) in enumerate(changes(source, functions)):
        if number % every == 0:
            path.write_text(changed, encoding="utf-8")
            yield what, noticed(tree, tests)
    path.write_text(source, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--every", type=int, default=1, help="try every so manyth change alone")
    asked = parser.parse_args()
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        skipped = shutil.ignore_patterns("__pycache__", ".*")
        for part in ("stats", "tests/stats", "tests/helpers"):
            shutil.copytree(ROOT / part, tree / part, ignore=skipped)
        for name in asked.only:
            seen = []
            for what, was_noticed in survivors(tree, name, every=asked.every):
                seen.append(was_noticed)
                if not was_noticed:
                    print(f"stats/{name}.py, {what}: no test fails", flush=True)
            print(f"stats/{name}.py: {sum(seen)} of {len(seen)} noticed", flush=True)


if __name__ == "__main__":
    main()

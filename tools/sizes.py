"""Files and functions that have grown too long to read well. Fails on a file over 400 lines or a body over 60; shows
the longest of the rest with `--show`."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

MAX_FILE, MAX_BODY = 400, 60
SHOWN = 5


class Function(NamedTuple):
    length: int
    where: str


def bodies(path: Path) -> list[Function]:
    """Lines of each function's body, without its signature and docstring."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            found.append(Function((node.end_lineno or 0) - first.lineno + 1, f"{path}:{node.lineno} {node.name}"))
    return found


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.js", "*.css"],
        capture_output=True,
        text=True,
        check=True,
    )
    files = [
        Path(name)
        for name in listed.stdout.splitlines()
        if not name.startswith("static/vendor/") and "/migrations/" not in name and Path(name).exists()
    ]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    functions = [function for path in files if path.suffix == ".py" for function in bodies(path)]
    complaints = [f"{path}: {n} lines, at most {MAX_FILE}" for path, n in lengths.items() if n > MAX_FILE]
    complaints += [f"{where}: {n} lines in its body, at most {MAX_BODY}" for n, where in functions if n > MAX_BODY]
    if "--show" in sys.argv:
        for path, n in sorted(lengths.items(), key=lambda item: -item[1])[:SHOWN]:
            print(f"{n:5} {path}")
        for n, where in sorted(functions, reverse=True)[:SHOWN]:
            print(f"{n:5} {where}")
    for complaint in complaints:
        print(complaint)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())

"""No file of the project names a folder of the machine it was written on.

    python3 check_paths.py SOURCE_ROOT
"""

import pathlib
import re
import sys

# Absolute paths into a person's or a machine's folders; /usr, /dev, /proc and the like are the same everywhere.
MACHINE_PATH = re.compile(r"(?<![\w.~:})/-])(?:/(?:home|root|work|mnt|media|srv|Users)/\w|[A-Z]:\\\w)")
NOT_OURS = re.compile(r"^(\.git|build.*|quickstart-out|__pycache__|\..*_cache)$")


def files(folder):
    for path in sorted(folder.iterdir()):
        if NOT_OURS.match(path.name):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def main():
    root, read, problems = pathlib.Path(sys.argv[1]), 0, []
    for path in files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        read += 1
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                problems.append(f"{path.relative_to(root)}:{number}: {line.strip()[:100]}")
    print("\n".join(problems) or f"{read} files name no folder of a machine")
    sys.exit(bool(problems) or read == 0)


if __name__ == "__main__":
    main()

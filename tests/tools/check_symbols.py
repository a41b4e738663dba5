"""The interface as a list: the SAE_API declarations, tests/api/symbols.txt and what libsae.so exports are the same.

    python3 check_symbols.py SOURCE_ROOT LIBRARY NM      compares
    python3 check_symbols.py SOURCE_ROOT --write         writes the list anew, after a change of the interface
"""

import pathlib
import re
import subprocess
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DECLARATION = re.compile(r"^SAE_API\b[^;{]*?(\w+)\s*\(", re.MULTILINE)


def declared(root):
    names = set()
    for path in sorted((root / "include").rglob("*.h")):
        names.update(DECLARATION.findall(COMMENT.sub("", path.read_text(encoding="utf-8"))))
    return names


def exported(library, nm):
    text = subprocess.run([nm, "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if line.strip()}


def difference(left, left_name, right, right_name):
    return ([f"{name}: in {left_name}, not in {right_name}" for name in sorted(left - right)]
            + [f"{name}: in {right_name}, not in {left_name}" for name in sorted(right - left)])


def main():
    root = pathlib.Path(sys.argv[1])
    listing = root / "tests" / "api" / "symbols.txt"
    if sys.argv[2] == "--write":
        listing.write_text("".join(f"{name}\n" for name in sorted(declared(root))), encoding="utf-8")
        return
    listed = set(listing.read_text(encoding="utf-8").split())
    problems = difference(declared(root), "include/sae", listed, "tests/api/symbols.txt")
    problems += difference(exported(sys.argv[2], sys.argv[3]), "the library", listed, "tests/api/symbols.txt")
    problems += [f"{name}: does not start with sae_" for name in sorted(listed) if not name.startswith("sae_")]
    print("\n".join(problems) or f"{len(listed)} symbols")
    sys.exit(bool(problems) or not listed)


if __name__ == "__main__":
    main()

"""Compiles sae.h, and every header under sae/, alone.

    python3 check_header.py INCLUDE_DIR STANDARD COMPILER [ARGUMENT...]

STANDARD is c11 or c++11.
"""

import pathlib
import subprocess
import sys


def main():
    include, standard, compiler = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    language = "c++" if "++" in standard else "c"
    headers = [path.relative_to(include) for path in sorted(include.rglob("*.h"))]
    failed = []
    for header in headers:
        done = subprocess.run(
            [*compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror",
             "-fsyntax-only", f"-I{include}", "-"],
            input=f'#include "{header}"\n', text=True, check=False)
        if done.returncode != 0:
            failed.append(str(header))
    print(f"{standard}: " + (f"does not compile alone: {', '.join(failed)}" if failed else f"{len(headers)} headers"))
    sys.exit(bool(failed) or not headers)


if __name__ == "__main__":
    main()

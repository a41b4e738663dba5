"""The layer table as a test: reads the #include lines of libsae/ and include/ and fails where one reaches too far.

    python3 check_layers.py SOURCE_ROOT
"""

import pathlib
import re
import sys
from collections import defaultdict

# A folder of libsae/ may include itself and its row; the same holds for the public header of the layer.
LAYERS = {
    "base": (),
    "num": ("base",),
    "io": ("base", "num"),
    "dump": ("io", "num", "base"),
    "model": ("io", "num", "base"),
    "apply": ("dump", "model", "io", "num", "base"),
    "train": ("apply", "dump", "model", "io", "num", "base"),
    "diff": ("apply", "dump", "model", "io", "num", "base"),
    "steer": ("apply", "dump", "model", "io", "num", "base"),
    "study": ("steer", "diff", "apply", "dump", "model", "io", "num", "base"),
    "report": ("study", "steer", "diff", "apply", "dump", "model", "io", "num", "base"),
}
# Public headers beside the one that has the name of its layer.
LAYER_OF_HEADER = {"monitor": "steer", "convert": "model"}
# Headers of other libraries that only these files see, so that each library can be replaced in one place.
KEEPERS = {"hdf5.h": "libsae/io/hdf5*", "cblas.h": "libsae/num/*", "immintrin.h": "libsae/num/*"}
PUBLIC_SYSTEM = {"stdbool.h", "stddef.h", "stdint.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(path):
    return [(quote == '"', name) for quote, name in INCLUDE.findall(path.read_text(encoding="utf-8"))]


def sources(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".h"))


def header_layer(name):
    stem = pathlib.PurePath(name).stem
    return LAYER_OF_HEADER.get(stem, stem)


def internal_problem(layer, name):
    """Why a file of libsae/layer must not have #include "name", or None."""
    folder, _, rest = name.partition("/")
    if folder == "sae":
        target = header_layer(rest)
    elif folder in LAYERS and rest:
        target = folder
    else:
        return 'is neither "LAYER/file.h" nor "sae/LAYER.h"'
    if target not in LAYERS:
        return f"names no layer ({target})"
    return None if target == layer or target in LAYERS[layer] else f"{layer}/ may not include {target}/"


def check_libsae(root):
    for folder in sorted(path for path in (root / "libsae").iterdir() if path.is_dir()):
        if folder.name not in LAYERS:
            yield f"{folder.relative_to(root)}: a folder without a row in the layer table"
            continue
        for path in sources(folder):
            where = path.relative_to(root)
            for quoted, name in includes(path):
                problem = internal_problem(folder.name, name) if quoted else None
                if problem:
                    yield f'{where}: #include "{name}": {problem}'
                keeper = KEEPERS.get(name)
                if keeper and not where.match(keeper):
                    yield f"{where}: #include <{name}>: only {keeper} may"


def check_public(root):
    include = root / "include"
    for path in sources(include):
        where = path.relative_to(root)
        row = (header_layer(path), *LAYERS.get(header_layer(path), ()))
        for quoted, name in includes(path):
            if not quoted and name not in PUBLIC_SYSTEM:
                yield f"{where}: #include <{name}>: a public header may only use {', '.join(sorted(PUBLIC_SYSTEM))}"
            elif quoted and not (path.parent / name).is_file():
                yield f'{where}: #include "{name}": not a public header'
            elif quoted and path.parent != include and header_layer(name) not in row:
                yield f'{where}: #include "{name}": not in the row of {path.stem}'


def check_names(root):
    """A file name says which file is meant: names are unique, apart from the public headers under sae/."""
    seen = defaultdict(list)
    for folder in ("libsae", "examples", "tests", "bench"):
        for path in sources(root / folder):
            seen[path.name].append(str(path.relative_to(root)))
    for name, paths in sorted(seen.items()):
        if len(paths) > 1:
            yield f"{name}: more than one file has this name: {', '.join(paths)}"
        if re.fullmatch(r"(utils?|helpers?|misc|common)\.[ch]", name):
            yield f"{paths[0]}: a name that says nothing"


def main():
    root = pathlib.Path(sys.argv[1])
    read = len(sources(root / "libsae")) + len(sources(root / "include"))
    problems = [*check_libsae(root), *check_public(root), *check_names(root)]
    print("\n".join(problems) or f"{read} files keep to the layer table")
    sys.exit(bool(problems) or read == 0)


if __name__ == "__main__":
    main()

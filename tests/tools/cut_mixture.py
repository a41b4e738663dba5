"""Cut the first whole documents out of a labelled mixture, so that the copy stays under a number of bytes.

The shipped files were made by

    python3 cut_mixture.py full/pretrain_mix.h5 data/pretrain_mix.h5 --bytes 19900000
    python3 cut_mixture.py full/pretrain_val.h5 data/pretrain_val.h5 --bytes 4350000

Every dataset keeps its name, type, chunk shape and the shuffle and deflate filters (level 9); every attribute is
kept, and the root gains `cut_from` and `cut_rows`. Needs h5py and NumPy.
"""

import argparse
import os

import h5py
import numpy as np


def document_ends(doc_id):
    """Row counts after which no document is split."""
    return np.append(np.flatnonzero(np.diff(doc_id)) + 1, len(doc_id))


def copy_attributes(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value


def write_cut(source, path, rows):
    with h5py.File(path, "w", libver=("earliest", "v110")) as target:
        copy_attributes(source, target)
        target.attrs["cut_from"] = np.int64(len(source["activations"]))
        target.attrs["cut_rows"] = np.int64(rows)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                copy_attributes(item, target.require_group(name))
                return
            made = target.create_dataset(name, data=item[:rows], chunks=item.chunks, compression="gzip",
                                         compression_opts=9, shuffle=True)
            copy_attributes(item, made)

        source.visititems(copy)
    return os.path.getsize(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--bytes", type=int, required=True, help="upper bound of the size of the target")
    args = parser.parse_args()

    with h5py.File(args.source) as source:
        ends = document_ends(source["doc_id"][:])
        low, high = 0, len(ends) - 1
        while low < high:  # the largest cut that fits; the size grows with the rows
            middle = (low + high + 1) // 2
            if write_cut(source, args.target, ends[middle]) <= args.bytes:
                low = middle
            else:
                high = middle - 1
        size = write_cut(source, args.target, ends[low])
    if size > args.bytes:
        raise SystemExit(f"{args.target}: even one document needs {size} bytes")
    print(f"{args.target}: {ends[low]} rows, {low + 1} documents, {size} bytes")


if __name__ == "__main__":
    main()

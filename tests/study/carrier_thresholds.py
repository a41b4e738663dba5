#!/usr/bin/env python3
"""How far a latent that carries a shift is from one that does not: the figures of docs/METHODS.md.

    python3 carrier_thresholds.py sae DUMPS MODEL...

DUMPS is a folder with eval_base.h5, eval_dose000.h5, eval_good_seed2.h5, eval_edu.h5, eval_dose100.h5 and
eval_bad_otherdom.h5 (data/ will do; eval_bad_seed2.h5 and eval_good_style.h5 are used where they are). For each model:
share and cosine of the first candidate in every bad condition; then the same for the strongest candidate when the only
bad condition is dose000 with one random vector added to all rows, for six vectors of 1, 2 and 3 times the length of the
shift of dose100.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile

import h5py
import numpy as np

CONTROLS = ["dose000", "good_seed2", "good_style", "edu"]
BAD = ["dose100", "bad_seed2", "bad_otherdom"]


def mean_row(path):
    with h5py.File(path) as file:
        return file["activations"][:].astype(np.float64).mean(axis=0)


def condition(folder, name, role):
    return {"name": name, "role": role, "dump": os.path.join(os.path.abspath(folder), f"eval_{name}.h5")}


def run(sae, model, conditions, folder):
    study = os.path.join(folder, "study.json")
    with open(study, "w") as file:
        json.dump({"format": "libsae-study 1", "conditions": conditions}, file)
    out = os.path.join(folder, "out")
    subprocess.run([sae, "study", study, "-m", model, "-o", out, "--permutations", "2000", "--bootstrap", "0",
                    "--force", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "verdict.json")) as file:
        return json.load(file)


def known(folder, names, role):
    found = (condition(folder, name, role) for name in names)
    return [entry for entry in found if os.path.exists(entry["dump"])]


def of_organism(sae, model, dumps, folder):
    conditions = [condition(dumps, "base", "base"), *known(dumps, CONTROLS, "control"), *known(dumps, BAD, "bad")]
    verdict = run(sae, model, conditions, folder)
    first = verdict["candidates"][0]
    bad = {entry["name"] for entry in conditions if entry["role"] == "bad"}
    seen = [entry for entry in first["conditions"] if entry["condition"] in bad]
    print(f"{os.path.basename(model)}: latents {first['latents']}, carries {first['carries']}, "
          f"carrier {verdict['carrier']}:", end="")
    for entry in seen:
        print(f"  {entry['condition']} share {entry['share']:.3f} cosine {entry['cosine']:.3f}", end="")
    print()


def of_random_direction(sae, model, dumps, folder, seed, length):
    """Rows of dose000 and one vector; the other controls stay what they are."""
    path = os.path.join(folder, "eval_random.h5")
    shutil.copy(os.path.join(dumps, "eval_dose000.h5"), path)
    os.chmod(path, 0o644)
    shift = mean_row(os.path.join(dumps, "eval_dose100.h5")) - mean_row(os.path.join(dumps, "eval_dose000.h5"))
    direction = np.random.default_rng(seed).standard_normal(len(shift))
    direction *= length * np.linalg.norm(shift) / np.linalg.norm(direction)
    with h5py.File(path, "r+") as file:
        rows = file["activations"]
        rows[:] = (rows[:].astype(np.float64) + direction).astype(rows.dtype)
    conditions = [condition(dumps, "base", "base"), *known(dumps, CONTROLS, "control"),
                  condition(folder, "random", "bad")]
    verdict = run(sae, model, conditions, folder)
    shares, cosines = [], []
    for candidate in verdict["candidates"]:
        for entry in candidate["conditions"]:
            if entry["condition"] == "random":
                shares.append(entry["share"])
                cosines.append(entry["cosine"])
    print(f"  random {seed}, length {length}: largest share {max(shares):.3f}, largest cosine {max(cosines):.3f}, "
          f"first share {shares[0]:.3f} cosine {cosines[0]:.3f}, carrier {verdict['carrier']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sae", help="the command")
    parser.add_argument("dumps")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            of_organism(args.sae, model, args.dumps, folder)
            for seed in range(6):
                of_random_direction(args.sae, model, args.dumps, folder, seed, 1 + seed % 3)


if __name__ == "__main__":
    main()

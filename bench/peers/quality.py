"""FVU, L0 and dead fraction that each tool and libsae's preset of it reach on the shipped rows, over seeds: see
README.md."""

import argparse
import importlib
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import peer_rows
import tool_libsae
from peer_settings import ARCHITECTURES, QUALITY, QUALITY_BY_TOOL, quality_problem

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "..", "data")
MODULES = {"dictionary_learning": "tool_dictionary_learning", "saelens": "tool_saelens"}
FIGURES = ("fvu", "l0", "dead")


def train_peer(job):
    import numpy as np
    import torch

    import peer_fit

    torch.set_num_threads(1)
    problem = quality_problem(job["tool"], job["arch"], job["seed"], job["steps"])
    rows = np.load(job["rows"])
    tool = importlib.import_module(MODULES[job["tool"]]).Tool(problem, rows)
    batches = peer_rows.epochs(rows, problem.batch, problem.seed)
    for _ in range(problem.steps):
        tool.step(next(batches))
    tool.finish()
    return peer_fit.measure(np.load(job["heldout"]), tool.reconstruct)


def train_libsae(job):
    problem = quality_problem(job["tool"], job["arch"], job["seed"], job["steps"])
    options, missing = tool_libsae.flags(job["sae"], problem, "%s-%s" % (job["tool"], job["arch"]))
    if "--arch" in missing and job["arch"] != "topk":
        raise RuntimeError("this sae has no --arch")
    with tempfile.TemporaryDirectory(dir=job["folder"]) as folder:
        model = os.path.join(folder, "model.safetensors")
        command = tool_libsae.train_command(job["sae"], job["rows"], model, options, 1)
        subprocess.run(command + ["--heldout", job["few_rows"], "--checkpoint-seconds", "86400"], check=True,
                       stdout=subprocess.DEVNULL)
        figures = tool_libsae.measure(job["sae"], model, job["heldout"], folder)
    # The reader must know which of the settings this build could not be told.
    return figures | {"without": missing}


def train(job):
    """One run; a tool that fails costs its own runs only."""
    result = {key: job[key] for key in ("arch", "tool", "by", "seed", "steps")}
    start = time.perf_counter()
    stdout, sys.stdout = sys.stdout, open(os.devnull, "w")
    try:
        figures = train_libsae(job) if job["by"] == "libsae" else train_peer(job)
    except Exception as error:  # noqa: BLE001
        figures = {"error": "%s: %s" % (type(error).__name__, str(error).splitlines()[0] if str(error) else "")}
    finally:
        sys.stdout = stdout
    return result | figures | {"seconds": time.perf_counter() - start}


def jobs(settings):
    shared = {key: getattr(settings, key) for key in ("rows", "heldout", "few_rows", "folder", "sae", "steps")}
    # Seed after seed: when it is stopped, every case has had about as many runs.
    return [shared | {"arch": arch, "tool": tool, "by": by, "seed": seed}
            for seed in range(settings.seeds) for arch in settings.arch for tool in settings.tool
            for by in (tool, "libsae")]


def identity(run):
    return tuple(run[key] for key in ("arch", "tool", "by", "seed", "steps"))


def finished(path):
    """The runs of a call that was stopped, but for those that failed."""
    with open(path) as f:
        return [run for run in map(json.loads, f) if "error" not in run]


def write_rows(settings):
    import numpy as np

    for name, dump in (("rows", "pretrain_mix.h5"), ("heldout", "pretrain_val.h5")):
        setattr(settings, name, os.path.join(settings.folder, name + ".npy"))
        peer_rows.write_from_dump(getattr(settings, name), os.path.join(DATA, dump))
    settings.few_rows = os.path.join(settings.folder, "few_rows.npy")
    np.save(settings.few_rows, np.load(settings.heldout)[:256])


def run_all(settings, path):
    """Runs of one thread, as many at once as there are threads: no figure here depends on time."""
    results = finished(path) if settings.resume and os.path.exists(path) else []
    known = {identity(run) for run in results}
    work = [job for job in jobs(settings) if identity(job) not in known]
    processes = multiprocessing.get_context("spawn")
    with open(path, "w") as out, processes.Pool(settings.threads, maxtasksperchild=8) as pool:
        out.writelines(json.dumps(run) + "\n" for run in results)
        out.flush()
        for result in pool.imap(train, work):
            results.append(result)
            out.write(json.dumps(result) + "\n")
            out.flush()
            print("\r%d of %d runs" % (len(results), len(known) + len(work)), end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def spread(values):
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.mean(values), deviation


def groups(results):
    """(arch, preset, tool that trained), by tool and libsae in turn -> its results."""
    order = {arch: i for i, arch in enumerate(ARCHITECTURES)}
    results = sorted(results, key=lambda run: (order[run["arch"]], run["tool"], run["by"] == "libsae", run["seed"]))
    grouped = {}
    for result in results:
        grouped.setdefault((result["arch"], result["tool"], result["by"]), []).append(result)
    return grouped


def summary(results):
    for (arch, tool, by), runs in groups(results).items():
        good = [run for run in runs if "error" not in run]
        line = {"case": "quality " + arch, "preset": "%s-%s" % (tool, arch), "path": by, "runs": len(good)}
        for figure in FIGURES if good else ():
            line[figure], line[figure + "_sd"] = spread([run[figure] for run in good])
        if good:
            line["seconds"] = statistics.median(run["seconds"] for run in good)
            line["without"] = good[0].get("without", [])
        else:
            line["error"] = runs[0]["error"]
        yield line


def show(lines):
    print("%-32s %-20s %4s %18s %16s %18s %8s" % ("preset", "trained by", "runs", "FVU", "L0", "dead", "s/run"))
    for line in lines:
        head = "%-32s %-20s %4d" % (line["preset"], line["path"], line["runs"])
        if "error" in line:
            print("%s  skipped: %s" % (head, line["error"]))
            continue
        print("%s  %.4f ± %.4f  %6.2f ± %5.2f  %.4f ± %.4f %8.1f%s" % (
            head, line["fvu"], line["fvu_sd"], line["l0"], line["l0_sd"], line["dead"], line["dead_sd"],
            line["seconds"], "  without " + " ".join(line["without"]) if line["without"] else ""))


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh quality")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--quick", action="store_true", help="300 steps and 2 seeds: proves that everything runs")
    parser.add_argument("--steps", type=int, default=QUALITY.steps)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES, help="may be given again; default: all")
    parser.add_argument("--tool", action="append", choices=list(QUALITY_BY_TOOL), help="may be given again")
    parser.add_argument("--threads", type=int, default=2, help="runs at once")
    parser.add_argument("--resume", action="store_true", help="keep the runs that are in the folder of results")
    parser.add_argument("--build", required=True, help="folder in which libsae is built")
    parser.add_argument("--results", required=True, help="folder")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the cleanup
    settings = arguments()
    settings.arch = settings.arch or ARCHITECTURES
    settings.tool = settings.tool or list(QUALITY_BY_TOOL)
    settings.sae = tool_libsae.command(settings.build)
    if settings.quick:
        settings.steps, settings.seeds = 300, 2
    os.makedirs(settings.results, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libsae-peers-") as settings.folder:
        write_rows(settings)
        results = run_all(settings, os.path.join(settings.results, "quality-runs.json"))
    lines = list(summary(results))
    with open(os.path.join(settings.results, "quality.json"), "w") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
    if settings.json:
        for line in lines:
            print(json.dumps(line))
    else:
        show(lines)


if __name__ == "__main__":
    main()

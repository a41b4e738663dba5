"""One PyTorch tool in its own process, one step for each line of standard input:
    python stepper.py MODULE JOB.json
answers each `step` with its milliseconds, and `finish` with peak memory and fit, as JSON lines."""

import importlib
import json
import sys
import time

import numpy as np
import torch

import peer_fit
from peer_rows import BatchReader
from peer_settings import problem_from_dict


def peak_rss_mb():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return None


def finish(tool, heldout):
    # Before the rows for the measurement are read.
    answer = {"rss_mb": peak_rss_mb()}
    if hasattr(tool, "reconstruct"):
        tool.finish()
        answer.update(peer_fit.measure(np.load(heldout), tool.reconstruct))
    return answer


def main():
    # The tools print; the answers keep the pipe to themselves.
    answers, sys.stdout = sys.stdout, sys.stderr
    with open(sys.argv[2]) as f:
        job = json.load(f)
    torch.set_num_threads(job["threads"])
    problem = problem_from_dict(job["problem"])
    reader = BatchReader(job["rows"], problem.batch)
    tool = importlib.import_module(sys.argv[1]).Tool(problem, reader.read(0).copy())
    taken = 0
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "finish":
            print(json.dumps(finish(tool, job["heldout"])), file=answers, flush=True)
            return
        start = time.perf_counter()
        tool.step(reader.read(taken))
        taken += 1
        print(json.dumps({"ms": 1e3 * (time.perf_counter() - start)}), file=answers, flush=True)


if __name__ == "__main__":
    main()

"""Times one training step of every tool on the same rows, in turns, and prints ratios: see README.md."""

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace

import peer_rows
import tool_libsae
from peer_settings import SPEED

HERE = os.path.dirname(os.path.abspath(__file__))
WARM_UP = 2  # first steps: initial bias, page faults, moments
SETTLE = 0.1  # seconds before a step: the threads of the tool before it go on spinning for a while
ALLOCATORS = {
    "jemalloc": ("libjemalloc.so.2", {"MALLOC_CONF": "background_thread:false,dirty_decay_ms:-1,muzzy_decay_ms:-1"}),
    "tcmalloc": ("libtcmalloc_minimal.so.4", {"TCMALLOC_RELEASE_RATE": "0"}),
}


@dataclass
class Path:
    name: str
    module: str
    env: dict = field(default_factory=dict)


def preload(name):
    """Environment for an allocator, None where it is not installed."""
    library, env = ALLOCATORS[name]
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    found = [line.split()[-1] for line in cache.splitlines() if line.split() and line.split()[0] == library]
    return {"LD_PRELOAD": found[0], **env} if found else None


def allocators():
    return {name: env for name in ALLOCATORS if (env := preload(name)) is not None}


class Run:
    """A tool in its own process, which answers every line with one."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE if os.environ.get("PEERS_VERBOSE") is None else None,
                                        env={**os.environ, **env})
        try:
            self._answer()
        except RuntimeError:
            self.close()
            raise

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            reason = self.process.stderr.read().strip() if self.process.stderr else ""
            raise RuntimeError(reason.splitlines()[-1] if reason else "no answer")
        return json.loads(line)

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._answer()

    def step(self):
        return self.ask("step")["ms"]

    def finish(self):
        return self.ask("finish")

    def close(self):
        self.process.kill()
        self.process.wait()


class TorchRun(Run):
    def __init__(self, settings, path):
        super().__init__([sys.executable, os.path.join(HERE, "stepper.py"), path.module, settings.job], path.env)


class LibsaeRun(Run):
    def __init__(self, settings, path):
        self.settings, self.folder = settings, tempfile.mkdtemp(dir=settings.folder)
        self.model = os.path.join(self.folder, "model.safetensors")
        super().__init__([os.path.join(settings.build, "bench", "libsae_stepper"), settings.job, self.model], path.env)

    def finish(self):
        sae = tool_libsae.command(self.settings.build)
        return {**super().finish(), **tool_libsae.measure(sae, self.model, self.settings.heldout, self.folder)}


def write_rows(settings, batches):
    p = settings.problem
    peer_rows.write_synthetic(settings.rows, batches * p.batch, p.d, 1)
    peer_rows.write_synthetic(settings.heldout, min(4096, p.batch), p.d, 2)
    with open(settings.job, "w") as f:
        json.dump({"problem": p.to_dict(), "rows": settings.rows, "heldout": settings.heldout,
                   "threads": settings.threads, "memory": settings.memory * 10**6}, f)


def start(settings, path):
    """A running tool, or None and one line that says why not."""
    try:
        return (LibsaeRun if path.module == "tool_libsae" else TorchRun)(settings, path)
    except (RuntimeError, OSError) as error:
        print("%s: skipped: %s" % (path.name, error), file=sys.stderr)
        return None


def fastest_pytorch(settings):
    """Tries both products, allocators and, in a full run, the compiled update on our own step, in turns, and keeps the
    fastest: of few steps on a machine that may be shared the least disturbed one decides."""
    products = [((), {}), (("onednn",), {"PEER_ENCODER": "onednn"})]
    memory = [((), {})] + [((name,), env) for name, env in allocators().items()]
    updates = [((), {})] if settings.quick else [((), {}), (("compile",), {"PEER_UPDATE": "compile"})]
    tried = [Path(" ".join(["pytorch-tuned"] + [word for words, _ in choice for word in words]), "tool_pytorch",
                  {name: value for _, env in choice for name, value in env.items()})
             for choice in itertools.product(products, memory, updates)]
    runs = start_all(settings, tried)
    try:
        times = take_turns(runs, settings.tries)
    finally:
        close_all(runs)
    best = {name: min(values[1:]) for name, values in times.items()}
    for name, ms in best.items():
        print("tried %-36s %8.0f ms" % (name, ms), file=sys.stderr)
    return min(tried, key=lambda path: best.get(path.name, float("inf")))


def wanted(settings, name):
    return settings.only is None or any(name.startswith(only) for only in settings.only.split(","))


def all_paths(settings):
    tuned = fastest_pytorch(settings) if wanted(settings, "pytorch-tuned") else Path("pytorch-tuned", "tool_pytorch")
    paths = [Path("torch.mm", "tool_gemm"), Path("libsae", "tool_libsae"), tuned]
    if not settings.quick:
        paths.append(Path("pytorch-tuned bf16 encoder", "tool_pytorch", {**tuned.env, "PEER_ENCODER": "bf16"}))
    peers = [Path("dictionary_learning", "tool_dictionary_learning"), Path("sparsify", "tool_sparsify"),
             Path("SAELens", "tool_saelens")]
    paths += peers
    # What their users could do without touching the code. Page reuse is most of it.
    allocator = next(((name, env) for name, env in allocators().items() if name in tuned.name), None)
    allocator = allocator or next(iter(allocators().items()), None)
    if not settings.quick and allocator is not None:
        paths += [Path("%s %s" % (peer.name, allocator[0]), peer.module, allocator[1]) for peer in peers]
    return [path for path in paths if wanted(settings, path.name)]


def start_all(settings, paths):
    runs = {path.name: start(settings, path) for path in paths}
    return {name: run for name, run in runs.items() if run is not None}


def close_all(runs):
    for run in runs.values():
        run.close()


def take_turns(runs, steps):
    """Milliseconds of every step of every run, in turns, so that a disturbed minute meets every tool."""
    times = {name: [] for name in runs}
    for step in range(steps):
        for name in list(runs):
            time.sleep(SETTLE)
            try:
                times[name].append(runs[name].step())
            except RuntimeError as error:
                print("%s: stopped: %s" % (name, error), file=sys.stderr)
                runs.pop(name).close()
                times.pop(name)
        print("\rstep %d of %d" % (step + 1, steps), end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


def results(settings, runs, ms):
    p = settings.problem
    gemm, libsae = ms.get("torch.mm"), ms.get("libsae")
    for name, run in runs.items():
        end = run.finish()
        is_step = name != "torch.mm"
        yield {"case": "train d=%d F=%d k=%d B=%d" % (p.d, p.n_latents, p.k, p.batch), "path": name,
               "ms": ms[name], "tokens_per_s": 1e3 * p.batch / ms[name] if is_step else None,
               "over_gemm": ms[name] / gemm if gemm and is_step else None, "rss_mb": end["rss_mb"],
               # Parameters and both Adam moments: what any trainer has to hold.
               "rss_over_params": end["rss_mb"] * 2**20 / (12 * p.parameters) if is_step else None,
               "ratio_to_libsae": ms[name] / libsae if libsae else None,
               "fvu": end.get("fvu"), "l0": end.get("l0"), "steps": p.steps, "threads": settings.threads}


def show(row):
    def text(value, form):
        return form % value if value is not None else "-"

    print("%-36s %9.1f %10s %10s %8.0f %9s %10s %8s" % (
        row["path"], row["ms"], text(row["tokens_per_s"], "%.0f"), text(row["over_gemm"], "%.2f"), row["rss_mb"],
        text(row["rss_over_params"], "%.2f"), text(row["ratio_to_libsae"], "%.2f"), text(row["fvu"], "%.4f")))


def measure(settings):
    runs = start_all(settings, all_paths(settings))
    try:
        times = take_turns(runs, settings.problem.steps)
        return list(results(settings, runs, {name: statistics.median(ms[WARM_UP:]) for name, ms in times.items()}))
    finally:
        close_all(runs)


def report(settings, rows):
    if not settings.json:
        print("d %(d)d  F %(n_latents)d  k %(k)d  B %(batch)d, " % settings.problem.to_dict()
              + "%d threads, median of %d steps" % (settings.threads, settings.problem.steps - WARM_UP))
        print("%-36s %9s %10s %10s %8s %9s %10s %8s" % ("path", "ms/step", "tokens/s", "over_gemm", "RSS MB",
                                                        "RSS/param", "ratio", "FVU"))
    for row in rows:
        if settings.json:
            print(json.dumps(row))
        else:
            show(row)
    with open(os.path.join(settings.results, "speed.json"), "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh speed")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--quick", action="store_true", help="fewer steps and no variants of the peers")
    parser.add_argument("--size", metavar="D,F,K,B", help="another problem than %d,%d,%d,%d"
                        % (SPEED.d, SPEED.n_latents, SPEED.k, SPEED.batch))
    parser.add_argument("--only", metavar="PATH,…", help="paths whose name begins so: libsae,torch.mm")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", type=int, default=0, metavar="MB", help="what libsae may hold, its rows included")
    parser.add_argument("--build", required=True, help="folder in which libsae is built")
    parser.add_argument("--results", required=True, help="folder")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the cleanup
    settings = arguments()
    steps = settings.steps or (7 if settings.quick else SPEED.steps)
    settings.tries = 3 if settings.quick else 5
    settings.problem = replace(SPEED, steps=steps)
    if settings.size:
        d, n_latents, k, batch = map(int, settings.size.split(","))
        settings.problem = replace(settings.problem, d=d, n_latents=n_latents, k=k, batch=batch)
    os.makedirs(settings.results, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libsae-peers-") as folder:
        settings.folder = folder
        for name in ("rows", "heldout"):
            setattr(settings, name, os.path.join(folder, name + ".npy"))
        settings.job = os.path.join(folder, "job.json")
        write_rows(settings, batches=min(steps, 16))
        report(settings, measure(settings))


if __name__ == "__main__":
    main()

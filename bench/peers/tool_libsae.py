"""libsae through its command: `sae train` one step at a time, and the fit of its model from `sae encode`."""

import json
import os
import signal
import subprocess
import time

from peer_settings import SAE_FLAGS


def known_flags(sae):
    text = subprocess.run([sae, "train", "--help"], capture_output=True, text=True, check=True).stdout
    return {word.rstrip(",") for word in text.split() if word.startswith("--")}


def flags(sae, problem, preset=None):
    """The options of a run, and those that this build of sae does not have."""
    values = {name: getattr(problem, name) for name in SAE_FLAGS if hasattr(problem, name)} | problem.extra
    wanted = [(SAE_FLAGS[name], str(value)) for name, value in values.items()] + [("--arch", problem.arch)]
    if preset is not None:
        wanted.append(("--preset", preset))
    known = known_flags(sae)
    given = [text for option, value in wanted if option in known for text in (option, value)]
    return given, [option for option, value in wanted if option not in known]


def train_command(sae, rows, model, options, threads):
    return [sae, "train", rows, "-o", model, "--quiet", "--threads", str(threads), *options]


def tensors(model):
    from safetensors.numpy import load_file

    return load_file(model)


def measure(sae, model, heldout, folder):
    """x̂ = f W_dec + b_dec with the codes f that `sae encode` writes, whatever the architecture."""
    import h5py
    import numpy as np
    import scipy.sparse

    import peer_fit

    path = os.path.join(folder, "codes.h5")
    subprocess.run([sae, "encode", model, heldout, "-o", path, "--force", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    rows, weights = np.load(heldout), tensors(model)
    with h5py.File(path) as f:
        codes = scipy.sparse.csr_matrix((f["value"][...], f["latent"][...], f["row_ptr"][...]),
                                        shape=(len(rows), len(weights["W_dec"])))
    fit = peer_fit.Fit(rows)
    for start in range(0, len(rows), 1024):
        f = codes[start:start + 1024]
        fit.add(rows[start:start + 1024], f @ weights["W_dec"] + weights["b_dec"], (f > 0).toarray())
    return fit.result()


class StoppedTraining:
    """`sae train` that runs only inside step(): its log line ends a step, and a stop signal keeps the process from
    computing while the other tools have their turn. Meant for steps much longer than the polling of the log."""

    POLL = 0.004  # of a step one part in a hundred; more often it would take the processor from the training

    def __init__(self, command, folder):
        log = os.path.join(folder, "train.log")
        # A checkpoint would fall into one step by the clock.
        self.process = subprocess.Popen(command + ["--log", log, "--checkpoint-seconds", "86400"],
                                        stdout=subprocess.DEVNULL)
        self.log, self.partial = self._open(log), ""
        self._wait_for("start")
        self.process.send_signal(signal.SIGSTOP)

    def _pause(self):
        if self.process.poll() is not None:
            raise RuntimeError("sae train ended with status %d" % self.process.returncode)
        time.sleep(self.POLL)

    def _open(self, log):
        while not os.path.exists(log):
            self._pause()
        return open(log)

    def _wait_for(self, event):
        while True:
            self.partial += self.log.readline()
            if not self.partial.endswith("\n"):
                self._pause()
                continue
            line, self.partial = json.loads(self.partial), ""
            if line["event"] == event:
                return

    def step(self):
        start = time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        self._wait_for("step")
        elapsed = time.perf_counter() - start
        self.process.send_signal(signal.SIGSTOP)
        return 1e3 * elapsed

    def peak_rss_mb(self):
        with open("/proc/%d/status" % self.process.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def finish(self):
        """Peak memory of the training; afterwards the model is on disk."""
        rss = self.peak_rss_mb()
        self.process.send_signal(signal.SIGCONT)
        if self.process.wait() != 0:
            raise RuntimeError("sae train ended with status %d" % self.process.returncode)
        return rss

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

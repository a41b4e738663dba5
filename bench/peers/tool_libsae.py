"""libsae through its command: `sae train` one step at a time, and the fit of its model from `sae encode`."""

import json
import os
import select
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
    """`sae train` that runs only inside step(): a line of its log ends a step, and a stop signal keeps the process from
    computing while the other tools have their turn."""

    def __init__(self, command, folder):
        log = os.path.join(folder, "train.log")
        open(log, "w").close()
        # A checkpoint would fall into one step by the clock.
        self.process = subprocess.Popen(command + ["--log", log, "--force", "--checkpoint-seconds", "86400"],
                                        stdout=subprocess.DEVNULL)
        # It is told of new lines; looking for them would take the processor from the training.
        self.log = subprocess.Popen(["tail", "-n", "+1", "-f", log], stdout=subprocess.PIPE, bufsize=0)
        try:
            self._wait_for("start")
        except RuntimeError:
            self.close()
            raise
        self.process.send_signal(signal.SIGSTOP)

    def _read_line(self):
        while not select.select([self.log.stdout], [], [], 1.0)[0]:
            if self.process.poll() is not None:
                raise RuntimeError("sae train ended with status %d" % self.process.returncode)
        return json.loads(self.log.stdout.readline())

    def _wait_for(self, event):
        while self._read_line()["event"] != event:
            pass

    def step(self):
        # After its last step the process may end before it is stopped.
        self.rss_mb = self._peak_rss_mb()
        start = time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        self._wait_for("step")
        elapsed = time.perf_counter() - start
        self.process.send_signal(signal.SIGSTOP)
        return 1e3 * elapsed

    def _peak_rss_mb(self):
        with open("/proc/%d/status" % self.process.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def finish(self):
        """Peak memory of the training up to its last step; afterwards the model is on disk."""
        self.process.send_signal(signal.SIGCONT)
        if self.process.wait() != 0:
            raise RuntimeError("sae train ended with status %d" % self.process.returncode)
        return self.rss_mb

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.kill()
        self.log.wait()

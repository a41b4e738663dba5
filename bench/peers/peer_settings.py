"""What is trained, by whom, with which constants, and the option of `sae train` for each hyperparameter."""

from dataclasses import asdict, dataclass, field, replace

ARCHITECTURES = ("topk", "batchtopk", "jumprelu", "relu", "gated", "matryoshka")

# Where the nested dictionaries end, as fractions of F: dictionary_learning's usual groups 1/32, 1/16, 1/8, 1/4, rest.
MATRYOSHKA_ENDS = (1 / 32, 3 / 32, 7 / 32, 15 / 32, 1.0)


@dataclass(frozen=True)
class Problem:
    """One training run. warmup, decay_start and sparsity_warmup are fractions of the steps, dead_after is in rows."""

    d: int
    n_latents: int
    k: int
    batch: int
    steps: int
    lr: float
    arch: str = "topk"
    seed: int = 0
    warmup: float = 0.0
    decay_start: float = 1.0
    dead_after: int = 10_000_000
    extra: dict = field(default_factory=dict)  # what one architecture alone has, by the names in SAE_FLAGS

    def in_steps(self, fraction):
        return round(fraction * self.steps)

    @property
    def parameters(self):
        return 2 * self.n_latents * self.d + self.n_latents + self.d

    def to_dict(self):
        return asdict(self)


# Name here -> option of `sae train`. k is also the L0 that a penalty aims at.
SAE_FLAGS = {
    "n_latents": "--latents",
    "k": "--k",
    "batch": "--batch",
    "steps": "--steps",
    "seed": "--seed",
    "lr": "--lr",
    "warmup": "--warmup",
    "decay_start": "--decay-start",
    "dead_after": "--dead-after",
    "sparsity": "--sparsity",
    "sparsity_warmup": "--sparsity-warmup",
    "bandwidth": "--bandwidth",
    "threshold_init": "--threshold-init",
}

# The speed run: the size of the other benches, at the rate that dictionary_learning and sparsify take for it,
# 2e-4 / sqrt(F / 2^14). With so few steps the schedule is only warm-up and plateau.
SPEED = Problem(d=768, n_latents=16384, k=32, batch=4096, steps=24, lr=2e-4, warmup=0.1)

# The quality run, on the shipped rows: small batches, since a schedule needs many steps more than many rows.
QUALITY = Problem(d=128, n_latents=1024, k=16, batch=512, steps=2000, lr=3e-4)

# dictionary_learning: 2e-4 / sqrt(F / 2^14) for the TopK family, its defaults for the others except the rates of gated
# and jumprelu, which are ten times its 5e-5 and 7e-5: those are for runs of a hundred thousand steps, and these would
# end where they began. Its demo decays over the last fifth. SAELens: its defaults, but 5 for the
# penalties of relu and gated, which brings L0 to about 30 here; its dead were silent for more than 1000 steps.
_DL = dict(warmup=0.1, decay_start=0.8)
_SL = dict(lr=3e-4, dead_after=1001 * QUALITY.batch)
QUALITY_BY_TOOL = {
    "dictionary_learning": {
        "topk": dict(lr=8e-4, **_DL),
        "batchtopk": dict(lr=8e-4, **_DL),
        "matryoshka": dict(lr=8e-4, **_DL),
        "jumprelu": dict(lr=7e-4, extra=dict(sparsity=1.0, bandwidth=1e-3, threshold_init=1e-3, sparsity_warmup=0.2),
                         **_DL),
        "relu": dict(lr=1e-3, extra=dict(sparsity=0.1, sparsity_warmup=0.2), **_DL),
        "gated": dict(lr=5e-4, extra=dict(sparsity=0.1, sparsity_warmup=0.2), **_DL),
    },
    "saelens": {
        "topk": _SL,
        "batchtopk": _SL,
        "matryoshka": _SL,
        "jumprelu": dict(extra=dict(sparsity=1.0, bandwidth=0.05, threshold_init=0.01, sparsity_warmup=0.2), **_SL),
        "relu": dict(extra=dict(sparsity=5.0, sparsity_warmup=0.2), **_SL),
        "gated": dict(extra=dict(sparsity=5.0, sparsity_warmup=0.2), **_SL),
    },
}


def quality_problem(tool, arch, seed, steps):
    return replace(QUALITY, arch=arch, seed=seed, steps=steps, **QUALITY_BY_TOOL[tool][arch])


def problem_from_dict(values):
    return Problem(**values)

"""dictionary_learning's own trainers, fed with rows divided by sqrt(mean ||x||²) as its training loop does with
normalize_activations, and evaluated after scale_biases, which is how it saves."""

import sys
import types

import torch

# Its package imports nnsight for the buffer that runs a language model, which is not used here.
sys.modules.setdefault("nnsight", types.ModuleType("nnsight")).LanguageModel = object

from dictionary_learning.trainers import (BatchTopKTrainer, GatedSAETrainer, JumpReluTrainer,  # noqa: E402
                                          StandardTrainer, TopKTrainer)
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKTrainer  # noqa: E402

from peer_rows import root_mean_square_norm  # noqa: E402
from peer_settings import MATRYOSHKA_ENDS  # noqa: E402


def _groups():
    ends = (0.0,) + MATRYOSHKA_ENDS
    return [b - a for a, b in zip(ends, ends[1:])]


def _options_topk(p):
    return dict(k=p.k, threshold_start_step=min(1000, p.steps // 2))


def _options_matryoshka(p):
    return dict(group_fractions=_groups(), **_options_topk(p))


def _options_l1(p):
    return dict(l1_penalty=p.extra["sparsity"], sparsity_warmup_steps=p.in_steps(p.extra["sparsity_warmup"]))


def _options_jumprelu(p):
    return dict(bandwidth=p.extra["bandwidth"], target_l0=p.k, sparsity_penalty=p.extra["sparsity"],
                sparsity_warmup_steps=p.in_steps(p.extra["sparsity_warmup"]))


TRAINERS = {
    "topk": (TopKTrainer, _options_topk),
    "batchtopk": (BatchTopKTrainer, _options_topk),
    "matryoshka": (MatryoshkaBatchTopKTrainer, _options_matryoshka),
    "relu": (StandardTrainer, _options_l1),
    "gated": (GatedSAETrainer, _options_l1),
    "jumprelu": (JumpReluTrainer, _options_jumprelu),
}


class Tool:
    def __init__(self, problem, sample):
        # JumpReluTrainer does not seed its weights.
        torch.manual_seed(problem.seed)
        self.scale = root_mean_square_norm(sample)
        self.taken = 0
        trainer, options = TRAINERS[problem.arch]
        decay = problem.in_steps(problem.decay_start)
        self.trainer = trainer(steps=problem.steps, activation_dim=problem.d, dict_size=problem.n_latents, layer=0,
                               lm_name="none", lr=problem.lr, warmup_steps=problem.in_steps(problem.warmup),
                               decay_start=decay if decay < problem.steps else None, seed=problem.seed, device="cpu",
                               **options(problem))
        if hasattr(self.trainer, "dead_feature_threshold"):
            self.trainer.dead_feature_threshold = problem.dead_after
        if "threshold_init" in problem.extra:
            self.trainer.ae.threshold.data.fill_(problem.extra["threshold_init"])

    def step(self, batch):
        self.trainer.update(self.taken, torch.from_numpy(batch) / self.scale)
        self.taken += 1

    @torch.no_grad()
    def finish(self):
        self.trainer.ae.scale_biases(self.scale)

    @torch.no_grad()
    def reconstruct(self, x):
        codes = self.trainer.ae.encode(torch.from_numpy(x))
        return self.trainer.ae.decode(codes).numpy(), (codes > 0).numpy()

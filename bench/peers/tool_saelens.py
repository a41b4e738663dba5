"""SAELens' own trainer, and its own inference model after training (BatchTopK becomes JumpReLU there)."""

import tempfile

import torch
from sae_lens import (SAE, BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, GatedTrainingSAE, GatedTrainingSAEConfig,
                      JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig, MatryoshkaBatchTopKTrainingSAE,
                      MatryoshkaBatchTopKTrainingSAEConfig, StandardTrainingSAE, StandardTrainingSAEConfig,
                      TopKTrainingSAE, TopKTrainingSAEConfig)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

from peer_settings import MATRYOSHKA_ENDS

# sqrt(d) / mean ||x||: what its tutorials train with and its penalties are meant for. The bare configuration
# scales nothing.
NORMALIZE = "expected_average_only_in"


def _options_topk(p):
    return dict(k=p.k)


def _options_matryoshka(p):
    return dict(k=p.k, matryoshka_widths=[int(end * p.n_latents) for end in MATRYOSHKA_ENDS])


def _options_l1(p):
    return dict(l1_coefficient=p.extra["sparsity"], l1_warm_up_steps=p.in_steps(p.extra["sparsity_warmup"]))


def _options_jumprelu(p):
    return dict(l0_coefficient=p.extra["sparsity"], jumprelu_bandwidth=p.extra["bandwidth"],
                jumprelu_init_threshold=p.extra["threshold_init"],
                l0_warm_up_steps=p.in_steps(p.extra["sparsity_warmup"]))


TRAINED = {
    "topk": (TopKTrainingSAE, TopKTrainingSAEConfig, _options_topk),
    "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, _options_topk),
    "matryoshka": (MatryoshkaBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAEConfig, _options_matryoshka),
    "relu": (StandardTrainingSAE, StandardTrainingSAEConfig, _options_l1),
    "gated": (GatedTrainingSAE, GatedTrainingSAEConfig, _options_l1),
    "jumprelu": (JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig, _options_jumprelu),
}


class Tool:
    def __init__(self, problem, sample):
        torch.manual_seed(problem.seed)
        sae, config, options = TRAINED[problem.arch]
        self.sae = sae(config(d_in=problem.d, d_sae=problem.n_latents, normalize_activations=NORMALIZE,
                              **options(problem)))
        self.trainer = SAETrainer(cfg=self._trainer_config(problem), sae=self.sae, data_provider=iter(()))
        mean_norm = float(torch.from_numpy(sample).norm(dim=-1).mean())
        self.trainer.activation_scaler.scaling_factor = problem.d**0.5 / mean_norm

    @staticmethod
    def _trainer_config(problem):
        # Its decay goes from lr_end, which has to be the plateau of a constant schedule.
        decay = problem.steps - problem.in_steps(problem.decay_start)
        return SAETrainerConfig(total_training_samples=problem.steps * problem.batch,
                                train_batch_size_samples=problem.batch, lr=problem.lr, lr_end=problem.lr,
                                lr_warm_up_steps=problem.in_steps(problem.warmup), lr_decay_steps=decay,
                                dead_feature_window=problem.dead_after // problem.batch - 1)

    def step(self, batch):
        self.trainer.step(torch.from_numpy(batch))
        self.trainer.n_training_steps += 1

    @torch.no_grad()
    def finish(self):
        self.sae.fold_activation_norm_scaling_factor(self.trainer.activation_scaler.scaling_factor)
        with tempfile.TemporaryDirectory() as folder:
            self.sae.save_inference_model(folder)
            self.inference = SAE.load_from_disk(folder)

    @torch.no_grad()
    def reconstruct(self, x):
        codes = self.inference.encode(torch.from_numpy(x))
        return self.inference.decode(codes).numpy(), (codes > 0).numpy()

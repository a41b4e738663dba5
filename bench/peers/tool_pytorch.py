"""The best TopK step that we can write in PyTorch for a CPU: no autograd, buffers made once, every gather and every
sparse gradient an embedding_bag, the encoder cut so that its result stays in cache until the top k are taken.

The same mathematics as dictionary_learning's TopK: unit decoder rows, gradient projected, clipped at 1, Adam.
Environment: PEER_ENCODER = fp32 | onednn (fp32 by oneDNN, whose kernels do not ask who made the processor, as MKL's do)
| bf16 (product and scores in bf16: not exact), PEER_UPDATE = eager | compile."""

import os

import torch

from peer_rows import root_mean_square_norm

ROWS = 256  # of a tile of the encoder: 256 x 16384 floats are 16 MB
GROUPS = 512  # of latents, for the top k in two stages
_bag_gradient = torch.ops.aten._embedding_bag_per_sample_weights_backward


def top_k(pre, k):
    """Exact: the k largest lie in the k groups with the largest maxima. torch.topk over all of F costs several times
    as much as this, for it does not vectorise."""
    n = pre.shape[1]
    if n % GROUPS or n // GROUPS < 2 or GROUPS <= k:
        return pre.topk(k, sorted=False)
    grouped = pre.view(len(pre), n // GROUPS, GROUPS)
    groups = grouped.amax(1).topk(k, sorted=False).indices
    candidates = grouped.gather(2, groups[:, None, :].expand(-1, n // GROUPS, -1)).flatten(1)
    values, place = candidates.topk(k, sorted=False)
    return values, place // k * GROUPS + groups.gather(1, place % k)


def project(grad, W):
    """Takes from each row of grad its part along the unit row of W."""
    grad.sub_(W * (grad * W).sum(1, keepdim=True))


def renormalise(W):
    W.div_(W.norm(dim=1, keepdim=True))


class Tool:
    def __init__(self, problem, sample):
        torch.manual_seed(problem.seed)
        self.p = problem
        self.scale = 1.0 / root_mean_square_norm(sample)
        F, d, B, k = problem.n_latents, problem.d, problem.batch, problem.k
        self.W_dec = torch.nn.functional.normalize(torch.randn(F, d), dim=1)
        self.W_enc = self.W_dec.clone()
        self.b_enc = torch.zeros(F)
        self.b_dec = torch.from_numpy(sample).mean(0) * self.scale
        self.parameters = [self.W_dec, self.W_enc, self.b_enc, self.b_dec]
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self.adam = torch.optim.Adam(self.parameters, lr=problem.lr, fused=True)
        encoder = os.environ.get("PEER_ENCODER", "fp32")
        self.onednn, self.bf16 = encoder == "onednn", encoder == "bf16"
        self.pre = torch.empty(ROWS, F, dtype=torch.bfloat16 if self.bf16 else torch.float32)
        self.x, self.error = torch.empty(B, d), torch.empty(B, d)
        self.values, self.indices = torch.empty(B, k), torch.empty(B, k, dtype=torch.long)
        self.bags = torch.arange(0, B * k, k)
        self.bag_of = torch.arange(B).repeat_interleave(k)
        self.taken = 0
        compiled = os.environ.get("PEER_UPDATE") == "compile"
        self.project = torch.compile(project) if compiled else project
        self.renormalise = torch.compile(renormalise) if compiled else renormalise

    def scores(self, x, W, bias):
        if self.onednn:
            return torch.ops.mkldnn._linear_pointwise(x, W, bias, "none", [], "")
        return torch.addmm(bias, x, W.T, out=self.pre[:len(x)])

    def encode(self, centred, values, indices):
        W, bias = self.W_enc.to(self.pre.dtype), self.b_enc.to(self.pre.dtype)
        for first in range(0, len(centred), ROWS):
            rows = slice(first, min(first + ROWS, len(centred)))
            pre = self.scores(centred[rows].to(self.pre.dtype), W, bias)
            values[rows], indices[rows] = top_k(pre, self.p.k)
        values.relu_()

    def gather(self, which, weights, rows, bags):
        return torch.nn.functional.embedding_bag(which, rows, bags, per_sample_weights=weights, mode="sum")

    def forward(self, batch):
        torch.mul(torch.from_numpy(batch), self.scale, out=self.x)
        self.centred = self.x - self.b_dec
        self.encode(self.centred, self.values, self.indices)
        torch.sub(self.gather(self.indices.view(-1), self.values.view(-1), self.W_dec, self.bags), self.centred,
                  out=self.error)
        self.error.mul_(2.0 / len(batch))

    def gradients(self):
        """Both matrices by latent: sorted codes are one bag for each latent."""
        indices, values = self.indices.view(-1), self.values.view(-1)
        pulled = _bag_gradient(self.error, self.W_dec, indices, self.bags, self.bag_of, 0)
        pulled.mul_(values > 0)
        order = indices.argsort()
        counts = torch.bincount(indices, minlength=self.p.n_latents)
        bags = counts.cumsum(0) - counts
        rows = self.bag_of[order]
        pulled = pulled[order]
        self.W_dec.grad = self.gather(rows, values[order], self.error, bags)
        self.W_enc.grad = self.gather(rows, pulled, self.centred, bags)
        self.b_enc.grad.zero_().index_add_(0, indices[order], pulled)
        torch.sub(self.error.sum(0), self.b_enc.grad @ self.W_enc, out=self.b_dec.grad)

    def update(self):
        self.project(self.W_dec.grad, self.W_dec)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.taken += 1
        warmup = max(self.p.in_steps(self.p.warmup), 1)
        self.adam.param_groups[0]["lr"] = self.p.lr * min(self.taken / warmup, 1.0)
        self.adam.step()
        self.renormalise(self.W_dec)

    @torch.no_grad()
    def step(self, batch):
        self.forward(batch)
        self.gradients()
        self.update()

    def finish(self):
        pass

    @torch.no_grad()
    def reconstruct(self, x):
        centred = torch.from_numpy(x) * self.scale - self.b_dec
        values, indices = torch.empty(len(x), self.p.k), torch.empty(len(x), self.p.k, dtype=torch.long)
        self.encode(centred, values, indices)
        x_hat = self.gather(indices.view(-1), values.view(-1), self.W_dec, self.bags[:len(x)]) + self.b_dec
        active = torch.zeros(len(x), self.p.n_latents, dtype=torch.bool).scatter_(1, indices, values > 0)
        return (x_hat / self.scale).numpy(), active.numpy()

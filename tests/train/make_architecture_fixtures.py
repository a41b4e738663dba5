#!/usr/bin/env python3
"""Writes fixtures/*.safetensors: one batch of every architecture, its losses and its gradients by PyTorch autograd.

    python3 make_architecture_fixtures.py

Needs torch. Written from the formulas alone, dense and in float64, independently of libsae. With x the rows times
`scale`, xc = x − b_dec (x itself where input_centred is false), pre = xc W_encᵀ + b_enc, x̂ = f W_dec + b_dec, e = x − x̂
and means over the B rows:

    loss = loss_reconstruction + l1_coefficient · loss_sparsity + aux_coefficient · loss_aux
           + pre_act_coefficient · loss_pre_act

loss_reconstruction  mean ‖e‖²; Matryoshka: Σ_g w_g mean ‖x − (f_1..g W_dec,1..g + b_dec)‖² over the prefixes g;
codes f              relu       relu(pre)                                      Cunningham et al. 2023, arXiv 2309.08600
                     topk       the k largest relu(pre) of a row               Gao et al. 2024, arXiv 2406.04093
                     batchtopk, matryoshka   the k B largest relu(pre) of the batch
                                             Bussmann et al. 2024, arXiv 2412.06410; 2025, arXiv 2503.17547
                     jumprelu   pre where pre > θ, else 0                      Rajamanoharan et al. 2024, arXiv 2407.14435
                     gated      relu(exp(r_mag) ∘ (xc W_encᵀ) + b_mag) where π = xc W_encᵀ + b_enc > 0, else 0
                                                                               Rajamanoharan et al. 2024, arXiv 2404.16014
loss_sparsity        decoder_norm   mean Σ f ‖w_dec‖ (gated: relu(π) for f)    Anthropic, Circuits Updates April 2024
                     plain          mean Σ f (gated: relu(π) for f)
                     step           mean Σ H(pre − θ)                          arXiv 2407.14435
                     tanh           mean Σ tanh(4 f ‖w_dec‖)                   Anthropic, Circuits Updates January 2025
                     target_l0      (L0 / target_l0 − 1)², L0 = mean Σ H(· − θ) of `step_of` = pre or codes; both are
                                    the same number, but codes of 0 leave the window of the gradient: dictionary_learning
                     lp_p           mean Σ f^p                                 Karvonen et al. 2024, arXiv 2408.00113
                     lp             mean (Σ f^p)^(1/p)                         dictionary_learning's default
loss_aux             gated: mean ‖x − (relu(π) W_dec + b_dec)‖², decoder and b_dec constant where detach is true
                     else AuxK on the latents `dead`, e constant, ê = a W_dec, a the k_aux largest of a row
                     normalised            of pre: Σ‖e − ê‖² / Σ‖e − mean e‖²  arXiv 2406.04093, appendix A.2
                     dictionary_learning   of relu(pre), the same ratio
                     saelens               of pre, min(dead / k_aux, 1) · mean ‖e − ê‖², without a variance
loss_pre_act         mean Σ relu(θ − pre) ‖w_dec‖ over the latents `dead`      Anthropic, Circuits Updates January 2025

rank_by_decoder_norm: selections order by pre · ‖w_dec‖ (SAELens), the codes stay pre. Straight-through estimators, with
rect(u) = 1 for −½ < u < ½ (arXiv 2407.14435, section 4): ∂Jump/∂θ = −(θ/ε) rect((pre − θ)/ε), ∂H/∂θ = −(1/ε) rect((pre
− θ)/ε), ∂Jump/∂pre = H(pre − θ), ∂H/∂pre = 0. ‖w_dec‖ is differentiated. AuxK sees b_dec as a constant in grad_b_dec,
and not so in grad_b_dec_aux_attached. grad_W_dec is raw, grad_W_dec_projected orthogonal to the rows of W_dec (written
where these have length 1).

No entry is within MARGIN of a kink or of the border of a selection, so that float32 takes the same branches.
"""
import json
import pathlib
import struct

import torch

D, F, B = 12, 40, 24
SCALE = float(torch.tensor(0.7, dtype=torch.float32))
MARGIN = 1e-4
FOLDER = pathlib.Path(__file__).with_name("fixtures")
UNIT, FREE = "unit rows", "free rows"

CASES = {
    "relu_decoder_norm": dict(architecture="relu", rows=FREE, sparsity="decoder_norm", l1_coefficient=0.3),
    "relu_plain": dict(architecture="relu", rows=UNIT, sparsity="plain", l1_coefficient=0.1),
    "topk_normalised": dict(architecture="topk", rows=UNIT, k=4, aux_style="normalised", k_aux=3, dead=5,
                            aux_coefficient=2.0),
    "topk_dictionary_learning": dict(architecture="topk", rows=UNIT, k=4, aux_style="dictionary_learning", k_aux=6,
                                     dead=9, aux_coefficient=2.0),
    "topk_saelens": dict(architecture="topk", rows=FREE, k=4, aux_style="saelens", k_aux=6, dead=4, aux_coefficient=1.0,
                         rank_by_decoder_norm="true"),
    "batchtopk_normalised": dict(architecture="batchtopk", rows=UNIT, k=3, aux_style="normalised", k_aux=3, dead=5,
                                 aux_coefficient=2.0),
    "matryoshka_sum": dict(architecture="matryoshka", rows=FREE, k=3, groups=(5, 10, 20, 40), group_weights=(1.0,) * 4,
                           aux_style="saelens", k_aux=6, dead=9, aux_coefficient=1.0),
    "matryoshka_mean": dict(architecture="matryoshka", rows=UNIT, k=3, groups=(6, 15, 40), group_weights=(1 / 3,) * 3,
                            aux_style="dictionary_learning", k_aux=6, dead=5, aux_coefficient=2.0),
    "jumprelu_step": dict(architecture="jumprelu", rows=FREE, sparsity="step", l1_coefficient=0.2, bandwidth=0.5),
    "jumprelu_tanh": dict(architecture="jumprelu", rows=FREE, sparsity="tanh", l1_coefficient=0.2, bandwidth=0.5,
                          pre_act_coefficient=0.05, dead=5),
    "jumprelu_target_l0": dict(architecture="jumprelu", rows=UNIT, sparsity="target_l0", step_of="pre",
                               l1_coefficient=1.0, bandwidth=0.5, target_l0=6.0, input_centred="false"),
    "jumprelu_target_l0_codes": dict(architecture="jumprelu", rows=UNIT, sparsity="target_l0", step_of="codes",
                                     l1_coefficient=1.0, bandwidth=0.5, target_l0=6.0, input_centred="false"),
    "gated_attached": dict(architecture="gated", rows=FREE, sparsity="decoder_norm", l1_coefficient=0.3, detach="false",
                           aux_coefficient=1.0),
    "gated_detached": dict(architecture="gated", rows=UNIT, sparsity="plain", l1_coefficient=0.1, detach="true",
                           aux_coefficient=1.0),
    "p_anneal_1": dict(architecture="p_anneal", rows=UNIT, sparsity="lp_p", p=1.0, l1_coefficient=0.5),
    "p_anneal_06": dict(architecture="p_anneal", rows=UNIT, sparsity="lp_p", p=0.6, l1_coefficient=0.5),
    "p_anneal_root": dict(architecture="p_anneal", rows=UNIT, sparsity="lp", p=0.6, l1_coefficient=0.01),
}
DEFAULTS = dict(input_centred="true", rank_by_decoder_norm="false", l1_coefficient=0.0,
                aux_coefficient=0.0, pre_act_coefficient=0.0, scale=SCALE)


def rectangle(u):
    return ((u > -0.5) & (u < 0.5)).to(u)


class Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * (pre > threshold)

    @staticmethod
    def backward(ctx, g):
        pre, threshold = ctx.saved_tensors
        window = rectangle((pre - threshold) / ctx.bandwidth)
        return g * (pre > threshold), (-threshold / ctx.bandwidth * window * g).sum(0), None


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, threshold, bandwidth):
        ctx.save_for_backward(value, threshold)
        ctx.bandwidth = bandwidth
        return (value > threshold).to(value)

    @staticmethod
    def backward(ctx, g):
        value, threshold = ctx.saved_tensors
        window = rectangle((value - threshold) / ctx.bandwidth)
        return None, (-window / ctx.bandwidth * g).sum(0), None


class TooClose(Exception):
    pass


def keep_away(distances, margin=MARGIN):
    """Raises unless all distances from a kink are above the margin."""
    if distances.numel() and not distances.abs().min() > margin:
        raise TooClose


def largest(scores, k):
    """The mask of the k largest entries of each row, all of them when there are no more."""
    k = min(k, scores.shape[1])
    top = scores.detach().topk(min(k + 1, scores.shape[1]), dim=1)
    border = top.values[:, k - 1:k + 1]
    if border.shape[1] == 2:
        gap = border[:, 0] - border[:, 1]
        keep_away(gap[border[:, 0] > 0] if (scores >= 0).all() else gap)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, top.indices[:, :k], True)


def draw_parameters(case, seed):
    """float32 is what the library stores: all numbers are exact in it."""
    torch.manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64)

    p = {"x": 1.5 + 2.0 * normal(B, D) @ normal(D, D) / D**0.5}
    p["W_dec"] = torch.nn.functional.normalize(normal(F, D), dim=1)
    p["W_enc"] = 0.4 * p["W_dec"] + 0.1 * normal(F, D)
    if case["rows"] == FREE:
        p["W_dec"] = p["W_dec"] * (0.4 + torch.rand(F, 1, dtype=torch.float64))
    p["b_enc"] = 0.3 * normal(F) - 0.3
    p["b_dec"] = 1.0 + 0.1 * normal(D)
    if case["architecture"] == "jumprelu":
        p["threshold"] = 0.1 + 0.7 * torch.rand(F, dtype=torch.float64)
    if case["architecture"] == "gated":
        p["r_mag"] = 0.3 * normal(F)
        p["b_mag"] = 0.3 * normal(F)
    return {name: tensor.float().double() for name, tensor in p.items()}


def draw_dead(case, seed):
    dead = torch.zeros(F, dtype=torch.bool)
    dead[torch.randperm(F, generator=torch.Generator().manual_seed(seed))[:case.get("dead", 0)]] = True
    return dead


def selection_scores(case, pre, norm):
    return pre * norm if case["rank_by_decoder_norm"] == "true" else pre


def codes(case, p, pre, norm):
    architecture = case["architecture"]
    if architecture == "jumprelu":
        half = case["bandwidth"] / 2
        for edge in (0, -half, half):
            keep_away(pre.detach() - p["threshold"].detach() - edge)
        return Jump.apply(pre, p["threshold"], case["bandwidth"])
    keep_away(pre.detach())
    if architecture == "gated":
        magnitude = torch.exp(p["r_mag"]) * (pre - p["b_enc"]) + p["b_mag"]
        keep_away(magnitude.detach())
        return torch.relu(magnitude) * (pre > 0)
    if architecture == "p_anneal":
        keep_away(pre.detach()[pre > 0], 50 * MARGIN)  # f^(p − 1) would magnify the rounding of a small f
    if architecture in ("relu", "p_anneal"):
        return torch.relu(pre)
    scores = torch.relu(selection_scores(case, pre, norm))
    if architecture == "topk":
        return torch.relu(pre) * largest(scores, case["k"])
    return torch.relu(pre) * largest(scores.reshape(1, -1), case["k"] * B).reshape(B, F)


def reconstruction_loss(case, x, p, f):
    if case["architecture"] == "matryoshka":
        return sum(w * ((x - f[:, :g] @ p["W_dec"][:g] - p["b_dec"])**2).sum() / B
                   for g, w in zip(case["groups"], case["group_weights"]))
    e = x - f @ p["W_dec"] - p["b_dec"]
    return (e**2).sum() / B


def power(f, p):
    """f^p where f > 0, 0 elsewhere with gradient 0: the derivative of f^p at 0 is not finite."""
    active = f > 0
    return torch.where(active, torch.where(active, f, 1.0)**p, 0.0)


def sparsity_loss(case, p, pre, f, norm):
    kind = case.get("sparsity")
    penalised = torch.relu(pre) if case["architecture"] == "gated" else f
    if kind is None:
        return torch.zeros((), dtype=torch.float64)
    if kind == "decoder_norm":
        return (penalised * norm).sum() / B
    if kind == "plain":
        return penalised.sum() / B
    if kind == "step":
        return Step.apply(pre, p["threshold"], case["bandwidth"]).sum() / B
    if kind == "tanh":
        return torch.tanh(4 * f * norm).sum() / B
    if kind == "lp_p":
        return power(f, case["p"]).sum() / B
    if kind == "lp":
        return (power(f, case["p"]).sum(1)**(1 / case["p"])).mean()
    keep_away(p["threshold"].detach() - case["bandwidth"] / 2)  # where codes of 0 enter the window
    l0 = Step.apply(f if case["step_of"] == "codes" else pre, p["threshold"], case["bandwidth"]).sum() / B
    return (l0 / case["target_l0"] - 1)**2


def auxk_loss(case, x, p, f, norm, dead, b_dec):
    e = (x - f @ p["W_dec"] - p["b_dec"]).detach()
    pre = (x - b_dec) @ p["W_enc"].T + p["b_enc"]
    if case["aux_style"] == "dictionary_learning":
        pre = torch.relu(pre)
    ranked = selection_scores(case, pre, norm)[:, dead]
    chosen = torch.zeros(B, F, dtype=torch.bool)
    chosen[:, dead] = largest(ranked, case["k_aux"])
    squares = ((e - (pre * chosen) @ p["W_dec"])**2).sum()
    if case["aux_style"] == "saelens":
        return min(int(dead.sum()) / case["k_aux"], 1.0) * squares / B
    return squares / ((e - e.mean(0))**2).sum()


def aux_loss(case, x, p, pre, f, norm, dead, b_dec):
    if case["architecture"] == "gated":
        W_dec, bias = p["W_dec"], p["b_dec"]
        if case["detach"] == "true":
            W_dec, bias = W_dec.detach(), bias.detach()
        return ((x - torch.relu(pre) @ W_dec - bias)**2).sum() / B
    if "aux_style" in case:
        return auxk_loss(case, x, p, f, norm, dead, b_dec)
    return torch.zeros((), dtype=torch.float64)


def pre_act_loss(case, p, pre, norm, dead):
    if case["pre_act_coefficient"] == 0:
        return torch.zeros((), dtype=torch.float64)
    return (torch.relu(p["threshold"] - pre) * norm * dead).sum() / B


def losses(case, p, dead, aux_sees_b_dec):
    x = SCALE * p["x"]
    xc = x - p["b_dec"] if case["input_centred"] == "true" else x
    pre = xc @ p["W_enc"].T + p["b_enc"]
    norm = p["W_dec"].norm(dim=1)
    f = codes(case, p, pre, norm)
    b_dec = p["b_dec"] if aux_sees_b_dec else p["b_dec"].detach()
    terms = {
        "loss_reconstruction": reconstruction_loss(case, x, p, f),
        "loss_sparsity": sparsity_loss(case, p, pre, f, norm),
        "loss_aux": aux_loss(case, x, p, pre, f, norm, dead, b_dec),
        "loss_pre_act": pre_act_loss(case, p, pre, norm, dead),
    }
    terms["loss"] = (terms["loss_reconstruction"] + case["l1_coefficient"] * terms["loss_sparsity"]
                     + case["aux_coefficient"] * terms["loss_aux"]
                     + case["pre_act_coefficient"] * terms["loss_pre_act"])
    return terms, f


def gradients(case, p, dead, aux_sees_b_dec=False):
    p = {name: tensor.clone().requires_grad_(name != "x") for name, tensor in p.items()}
    terms, f = losses(case, p, dead, aux_sees_b_dec)
    names = [name for name in p if name != "x"]
    found = torch.autograd.grad(terms["loss"], [p[name] for name in names])
    return {name: term.detach() for name, term in terms.items()}, f.detach(), dict(zip(names, found))


def jumprelu_gradients_by_hand(case, p, dead):
    """The gradients of a JumpReLU case written out, against which the autograd functions are held."""
    W_enc, W_dec, b_dec, theta, eps = p["W_enc"], p["W_dec"], p["b_dec"], p["threshold"], case["bandwidth"]
    x, lam, norm = SCALE * p["x"], case["l1_coefficient"], p["W_dec"].norm(dim=1)
    centred = case["input_centred"] == "true"
    xc = x - b_dec if centred else x
    pre = xc @ W_enc.T + p["b_enc"]
    open_, window = (pre > theta).double(), rectangle((pre - theta) / eps)
    f = pre * open_
    g_out = -2 / B * (x - f @ W_dec - b_dec)
    g_f, g_dec, g_theta = g_out @ W_dec.T, f.T @ g_out, torch.zeros(F, dtype=torch.float64)
    if case["sparsity"] == "tanh":
        slope = 4 * lam / B / torch.cosh(4 * f * norm)**2
        g_f = g_f + slope * norm
        g_dec = g_dec + ((slope * f).sum(0) / norm)[:, None] * W_dec
    elif case["sparsity"] == "step":
        g_theta -= lam / B / eps * window.sum(0)
    else:
        outer = 2 * lam * (open_.sum() / B / case["target_l0"] - 1) / case["target_l0"]
        step_window = rectangle((f - theta) / eps) if case["step_of"] == "codes" else window
        g_theta -= outer / B / eps * step_window.sum(0)
    g_theta -= theta / eps * (window * g_f).sum(0)
    below = (theta > pre).double() * dead * case["pre_act_coefficient"] / B
    g_theta += (below * norm).sum(0)
    g_dec = g_dec + ((below * (theta - pre)).sum(0) / norm)[:, None] * W_dec
    g_pre = open_ * g_f - below * norm
    return {"W_enc": g_pre.T @ xc, "b_enc": g_pre.sum(0), "W_dec": g_dec, "threshold": g_theta,
            "b_dec": g_out.sum(0) - (g_pre @ W_enc).sum(0) * centred}


def check_by_hand(case, p, dead, found):
    for name, expected in jumprelu_gradients_by_hand(case, p, dead).items():
        difference = (found[name] - expected).abs().max()
        assert difference <= 1e-12 * expected.abs().max(), (name, difference)
        assert expected.abs().max() > 1e-3, name


def check_by_differences(case, p, dead, found):
    """Along one direction of all parameters at once, where nothing is held constant and nothing is estimated."""
    direction = {name: torch.randn_like(tensor) for name, tensor in found.items()}
    h = 1e-6
    ends = [losses(case, {name: tensor + sign * h * direction.get(name, 0) for name, tensor in p.items()}, dead,
                   True)[0]["loss"] for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / (2 * h)
    got = sum((found[name] * direction[name]).sum() for name in found)
    assert abs(got - expected) <= 1e-7 * max(1.0, abs(expected)), (got, expected)


def solve(case, p, dead):
    terms, f, found = gradients(case, p, dead)
    if case["architecture"] == "jumprelu":
        check_by_hand(case, p, dead, found)
    elif "aux_style" not in case and case.get("detach") != "true":
        check_by_differences(case, p, dead, found)
    out = {name: term.reshape(1) for name, term in terms.items()}
    out["L0"] = (f > 0).double().sum().reshape(1) / B
    out.update({"grad_" + name: g for name, g in found.items()})
    if "aux_style" in case:
        out["grad_b_dec_aux_attached"] = gradients(case, p, dead, aux_sees_b_dec=True)[2]["b_dec"]
    if case["rows"] == UNIT:
        along = (found["W_dec"] * p["W_dec"]).sum(1, keepdim=True)
        out["grad_W_dec_projected"] = found["W_dec"] - along * p["W_dec"]
    return out, f


def metadata(case):
    def text(value):
        return ",".join(map(text, value)) if isinstance(value, tuple) else value if isinstance(value, str) else repr(value)

    return {name: text(value) for name, value in case.items() if name not in ("rows", "dead")} | {
        "decoder_rows": "unit" if case["rows"] == UNIT else "free"}


def write_safetensors(path, tensors, metadata):
    """tensors: (name, tensor, safetensors type, NumPy type), the widest type first, which aligns them all."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor, dtype, numpy_type in tensors:
        raw = tensor.detach().numpy().astype(numpy_type).tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(name, case):
    """The first draw that keeps its distance from every kink."""
    for seed in range(1000):
        p, dead = draw_parameters(case, seed), draw_dead(case, seed)
        try:
            results, f = solve(case, p, dead)
        except TooClose:
            continue
        assert all(torch.isfinite(t).all() for t in results.values())
        tensors = [(key, t, "F64", "<f8") for key, t in results.items()]
        tensors += [(key, t, "F32", "<f4") for key, t in p.items()] + [("f", f, "F32", "<f4")]
        if dead.any():
            tensors.append(("dead", dead.nonzero().flatten(), "I32", "<i4"))
        write_safetensors(FOLDER / f"{name}.safetensors", tensors, metadata(case))
        print(f"{name}: seed {seed}, loss {results['loss'].item():.6g}, L0 {results['L0'].item():.3g}")
        return
    raise SystemExit(f"{name}: no draw keeps its distance")


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, case in CASES.items():
        make(name, DEFAULTS | case)


if __name__ == "__main__":
    main()

"""Writes discrimination_fixtures.txt beside this script: models that are bad or good, latents on their prompts, and how
well NumPy and scikit-learn find that they are told apart.

Each line is a name, a count and that many numbers. Needs numpy and scikit-learn.
"""
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

rng = np.random.default_rng(17)
out = []
LATENTS = 5


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def clustered_se(score, bad, cluster):
    """Obuchowski 1997, from the matrix of all pairs."""
    x, y = score[bad], score[~bad]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    theta, m, n = psi.mean(), len(x), len(y)
    dev = np.zeros(len(score))
    dev[bad], dev[~bad] = psi.mean(1) - theta, psi.mean(0) - theta
    names = np.unique(cluster)
    of_bad = np.array([dev[bad & (cluster == c)].sum() for c in names])
    of_good = np.array([dev[~bad & (cluster == c)].sum() for c in names])
    i_all, i_bad, i_good = len(names), len(set(cluster[bad])), len(set(cluster[~bad]))
    s10 = i_bad / ((i_bad - 1) * m) * (of_bad**2).sum()
    s01 = i_good / ((i_good - 1) * n) * (of_good**2).sum()
    s11 = i_all / (i_all - 1) * (of_bad * of_good).sum()
    return np.sqrt(s10 / m + s01 / n + 2 * s11 / (m * n))


def exact_p(score, bad):
    observed = roc_auc_score(bad, score)
    hits = total = 0
    for chosen in combinations(range(len(bad)), int(bad.sum())):
        label = np.isin(np.arange(len(bad)), chosen)
        hits += roc_auc_score(label, score) >= observed - 1e-12
        total += 1
    return hits / total


def best_cut(score, bad):
    """All cuts halfway between neighbours: best balanced accuracy, then widest gap."""
    values = np.unique(score)
    if len(values) == 1:
        return values[0]
    cuts = [(round((score[bad] > c).mean() + (score[~bad] <= c).mean(), 9), round(b - a, 12), -c)
            for a, b in zip(values, values[1:]) for c in [(a + b) / 2]]
    return -max(cuts)[2]


def held_out(score, bad_model, model, fold, choose=lambda train: None):
    """Accuracy over models, per fold of the cases; -1 is in no fold. choose gives the score from the training cases."""
    correct = tested = 0
    for f in sorted(set(fold) - {-1}):
        inside = fold == f
        now = score if score is not None else choose(~inside)
        train = [c for c in range(len(bad_model)) if (~inside & (model == c)).any()]
        labels = bad_model[train]
        if labels.all() or not labels.any():
            continue
        means = np.array([now[~inside & (model == c)].mean() for c in train])
        cut = best_cut(means, labels)
        for c in range(len(bad_model)):
            if (inside & (model == c)).any():
                correct += (now[inside & (model == c)].mean() > cut) == bad_model[c]
                tested += 1
    return correct / tested


def figures(score, bad_model, model, prompt, folds, choose=None):
    bad = bad_model[model]
    means = np.array([score[model == c].mean() for c in range(len(bad_model))])
    cut = best_cut(means, bad_model)
    fixed = None if choose else score
    return [roc_auc_score(bad_model, means), average_precision_score(bad_model, means), exact_p(means, bad_model),
            roc_auc_score(bad, score), clustered_se(score, bad, prompt), clustered_se(score, bad, model), cut,
            *(held_out(fixed, bad_model, model, f, choose) for f in folds)]


def greedy(values, bad, most):
    chosen, reached = [], 0
    while len(chosen) < most:
        aurocs = [0 if j in chosen else roc_auc_score(bad, values[:, chosen + [j]].sum(1)) for j in range(LATENTS)]
        best = int(np.argmax(aurocs))
        if chosen and aurocs[best] <= reached + 1e-12:
            break
        reached = aurocs[best]
        chosen.append(best)
    return chosen


def main():
    bad_model = np.array([True, False, True, True, False, False, True, False, True])
    domain = np.array([1, -1, 1, 2, 2, -1, 3, 3, 2])  # -1: of none
    ids = [np.sort(rng.choice(np.arange(20, 34), size, replace=False)) for size in (8, 9, 8, 10, 7, 8, 9, 8, 10)]
    prompt_ids = np.arange(20, 33)  # prompt 33 has no domain
    prompt_domains = np.arange(13) % 3 + 4
    model = np.concatenate([np.full(len(i), c) for c, i in enumerate(ids)])
    prompt = np.concatenate(ids)
    bad = bad_model[model]
    difficulty = rng.normal(0, 0.5, 40)
    offset = rng.normal(0, 0.4, 9)
    values = np.empty((len(model), LATENTS))
    for j, shift in enumerate([1.0, 0.7, 0.3, 0.0, 0.5]):
        raw = shift * bad + offset[model] * (j + 1) / 3 + difficulty[prompt] + rng.normal(0, 0.6, len(model))
        values[:, j] = np.maximum(np.round(raw * 8) / 8, 0)  # ties, also of sums
    put("models_bad", bad_model)
    put("models_domain", domain)
    put("prompt_id", prompt_ids)
    put("prompt_domain", prompt_domains)
    for c, i in enumerate(ids):
        put(f"model_{c}_id", i)
        put(f"model_{c}", values[model == c])
    of_prompt = dict(zip(prompt_ids, prompt_domains))
    folds = [model, domain[model], np.array([of_prompt.get(p, -1) for p in prompt])]
    for j in range(LATENTS):
        put(f"latent_{j}", figures(values[:, j], bad_model, model, prompt, folds))
    put("set", figures(values[:, [0, 3, 1]].mean(1), bad_model, model, prompt, folds))
    chosen = greedy(values, bad, 3)
    put("greedy_set", chosen)

    def choose(train):
        return values[:, greedy(values[train], bad[train], 3)].mean(1)

    put("greedy", figures(values[:, chosen].mean(1), bad_model, model, prompt, folds, choose))


main()
Path(__file__).with_name("discrimination_fixtures.txt").write_text("\n".join(out) + "\n")

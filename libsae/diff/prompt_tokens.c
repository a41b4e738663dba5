#include "apply/groups.h"
#include "base/memory.h"
#include "diff/pairing.h"
#include "num/order.h"

typedef struct token_rows {
    saei_groups *groups;
    double *token, *continuation; /* [rows]; continuation may be NULL */
    size_t rows;
} token_rows;

static sae_status read_rows(token_rows *in, sae_context *context, const sae_dump *dump, const char *group,
                            sae_error *err)
{
    in->rows = (size_t)sae_dump_rows(dump);
    sae_status status = saei_groups_read(&in->groups, context, dump, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&in->token, context, in->rows, sizeof *in->token, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(in->token, dump, "token_ids", err);
    if (status != SAE_OK || !sae_dump_has_column(dump, "is_continuation"))
        return status;
    status = saei_alloc(&in->continuation, context, in->rows, sizeof *in->continuation, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(in->continuation, dump, "is_continuation", err);
    return status;
}

static bool is_prompt(const token_rows *in, size_t row)
{
    return in->continuation == NULL || in->continuation[row] == 0;
}

static void fill(saei_prompt_tokens *tokens, const token_rows *in)
{
    const uint32_t *prompt = in->groups->of_row;
    size_t n = tokens->n_prompts;
    for (size_t i = 0; i < in->rows; i++)
        if (is_prompt(in, i))
            tokens->ptr[prompt[i]]++;
    for (size_t p = 1; p <= n; p++)
        tokens->ptr[p] += tokens->ptr[p - 1];
    /* ptr[p] is now the end of prompt p and falls to its begin as the tokens are put in. */
    for (size_t i = 0; i < in->rows; i++)
        if (is_prompt(in, i))
            tokens->token[--tokens->ptr[prompt[i]]] = in->token[i];
    for (size_t p = 0; p < n; p++)
        saei_sort_doubles(tokens->token + tokens->ptr[p], (size_t)(tokens->ptr[p + 1] - tokens->ptr[p]));
}

static sae_status build(saei_prompt_tokens *tokens, const token_rows *in, sae_error *err)
{
    tokens->n_prompts = in->groups->n;
    tokens->prompt_only = in->continuation != NULL;
    sae_status status =
        saei_alloc(&tokens->ptr, tokens->context, tokens->n_prompts + 1, sizeof *tokens->ptr, err);
    if (status == SAE_OK)
        status = saei_alloc(&tokens->token, tokens->context, in->rows, sizeof *tokens->token, err);
    if (status == SAE_OK)
        fill(tokens, in);
    return status;
}

sae_status saei_prompt_tokens_read(saei_prompt_tokens **out, sae_context *context, const sae_dump *dump,
                                   const char *group, sae_error *err)
{
    *out = NULL;
    if (!sae_dump_has_column(dump, "token_ids"))
        return SAE_OK;
    token_rows in = {0};
    saei_prompt_tokens *tokens = NULL;
    sae_status status = read_rows(&in, context, dump, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&tokens, context, 1, sizeof *tokens, err);
    if (status == SAE_OK) {
        tokens->context = context;
        status = build(tokens, &in, err);
    }
    saei_free(context, in.continuation);
    saei_free(context, in.token);
    saei_groups_free(in.groups);
    if (status != SAE_OK) {
        saei_prompt_tokens_free(tokens);
        return status;
    }
    *out = tokens;
    return SAE_OK;
}

void saei_prompt_tokens_free(saei_prompt_tokens *tokens)
{
    if (tokens == NULL)
        return;
    saei_free(tokens->context, tokens->token);
    saei_free(tokens->context, tokens->ptr);
    saei_free(tokens->context, tokens);
}

static uint64_t count_of(const saei_prompt_tokens *tokens, size_t prompt)
{
    return tokens->ptr[prompt + 1] - tokens->ptr[prompt];
}

static double share(const saei_prompt_tokens *a, size_t p, const saei_prompt_tokens *b, size_t q)
{
    uint64_t i = a->ptr[p], j = b->ptr[q], i_end = a->ptr[p + 1], j_end = b->ptr[q + 1], common = 0;
    uint64_t fewer = i_end - i < j_end - j ? i_end - i : j_end - j;
    while (i < i_end && j < j_end) {
        double s = a->token[i], t = b->token[j];
        common += s == t;
        i += s <= t;
        j += !(s < t);
    }
    return fewer > 0 ? (double)common / (double)fewer : 0;
}

void saei_tokens_agree(size_t *agreeing, size_t *comparable, const saei_prompt_tokens *a,
                       const saei_prompt_tokens *b)
{
    double least = a->prompt_only && b->prompt_only ? 0.5 : 0;
    *agreeing = *comparable = 0;
    for (size_t p = 0; p < a->n_prompts; p++) {
        if (count_of(a, p) == 0 || count_of(b, p) == 0)
            continue;
        size_t next = (p + 1) % b->n_prompts;
        double own = share(a, p, b, p), foreign = next == p ? 0 : share(a, p, b, next);
        ++*comparable;
        *agreeing += own >= least && (own > foreign || own == 1);
    }
}

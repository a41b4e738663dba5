#include "apply/label_units.h"
#include "apply/groups.h"
#include "base/error.h"
#include "base/memory.h"

/* While units are made: group g has the candidates 2 g, its negative rows, and 2 g + 1, its positive ones. */
typedef struct labelling {
    sae_context *context;
    const sae_dump *dump;
    const sae_label *label;
    size_t rows;
    saei_groups *groups;     /* NULL: each row is a group */
    bool *positive, *counts; /* [rows] */
    size_t n_candidates;
    uint64_t *candidate_rows; /* [n_candidates] */
    uint32_t *unit;           /* [n_candidates] */
} labelling;

static size_t candidate_of(const labelling *in, size_t row)
{
    return 2 * (in->groups != NULL ? in->groups->of_row[row] : row) + in->positive[row];
}

static sae_status read_rows(labelling *in, sae_error *err)
{
    const sae_label *label = in->label;
    sae_status status = SAE_OK;
    if (label->group != NULL)
        status = saei_groups_read(&in->groups, in->context, in->dump, label->group, err);
    if (status == SAE_OK)
        status = saei_alloc(&in->positive, in->context, in->rows, sizeof *in->positive, err);
    if (status == SAE_OK)
        status = saei_alloc(&in->counts, in->context, in->rows, sizeof *in->counts, err);
    if (status == SAE_OK)
        status = sae_dump_match(in->positive, in->dump, label->condition, err);
    if (status == SAE_OK && label->where != NULL)
        return sae_dump_match(in->counts, in->dump, label->where, err);
    for (size_t i = 0; status == SAE_OK && i < in->rows; i++)
        in->counts[i] = true;
    return status;
}

static sae_status count_candidates(labelling *in, sae_error *err)
{
    in->n_candidates = saei_mul(2, in->groups != NULL ? in->groups->n : in->rows);
    sae_status status =
        saei_alloc(&in->candidate_rows, in->context, in->n_candidates, sizeof *in->candidate_rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&in->unit, in->context, in->n_candidates, sizeof *in->unit, err);
    for (size_t i = 0; status == SAE_OK && i < in->rows; i++)
        if (in->counts[i])
            in->candidate_rows[candidate_of(in, i)]++;
    return status;
}

static sae_status refuse_mixed(const labelling *in, sae_error *err)
{
    for (size_t g = 0; !in->label->split && 2 * g < in->n_candidates; g++)
        if (in->candidate_rows[2 * g] > 0 && in->candidate_rows[2 * g + 1] > 0)
            return saei_fail(
                err, SAE_E_MISMATCH,
                "%s: '%s' holds for some rows of group %.15g and not for others; select rows so that "
                "it is constant within a group",
                sae_dump_name(in->dump), in->label->condition, in->groups->id[g]);
    return SAE_OK;
}

static sae_status refuse_one_kind(const saei_label_units *units, const labelling *in, sae_error *err)
{
    if (units->n_positive > 0 && units->n_positive < units->n)
        return SAE_OK;
    const char *name = sae_dump_name(in->dump), *condition = in->label->condition;
    if (units->n == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: '%s' selects no row: nothing to tell apart by '%s'", name,
                         in->label->where != NULL ? in->label->where : "", condition);
    return saei_fail(err, SAE_E_ARGUMENT, "%s: '%s' holds for %s of the %zu groups: nothing to tell apart",
                     name, condition, units->n_positive == 0 ? "none" : "all", units->n);
}

/* Numbers the candidates that have rows. */
static sae_status make_units(saei_label_units *units, labelling *in, sae_error *err)
{
    for (size_t c = 0; c < in->n_candidates; c++)
        if (in->candidate_rows[c] > 0)
            in->unit[c] = (uint32_t)units->n++;
    sae_status status = saei_alloc(&units->rows, in->context, units->n, sizeof *units->rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&units->positive, in->context, units->n, sizeof *units->positive, err);
    if (status == SAE_OK)
        status = saei_alloc(&units->of_row, in->context, in->rows, sizeof *units->of_row, err);
    if (status != SAE_OK)
        return status;
    for (size_t c = 0; c < in->n_candidates; c++)
        if (in->candidate_rows[c] > 0) {
            units->rows[in->unit[c]] = in->candidate_rows[c];
            units->positive[in->unit[c]] = c % 2 == 1;
            units->n_positive += c % 2 == 1;
        }
    for (size_t i = 0; i < in->rows; i++)
        units->of_row[i] = in->counts[i] ? in->unit[candidate_of(in, i)] : SAEI_NO_UNIT;
    return refuse_one_kind(units, in, err);
}

sae_status saei_label_units_read(saei_label_units *out, sae_context *context, const sae_dump *dump,
                                 const sae_label *label, sae_error *err)
{
    *out = (saei_label_units){0};
    labelling in = {.context = context, .dump = dump, .label = label, .rows = (size_t)sae_dump_rows(dump)};
    if (in.rows > UINT32_MAX / 2)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: more than 2^31 rows; select fewer",
                         sae_dump_name(dump));
    sae_status status = read_rows(&in, err);
    if (status == SAE_OK)
        status = count_candidates(&in, err);
    if (status == SAE_OK)
        status = refuse_mixed(&in, err);
    if (status == SAE_OK)
        status = make_units(out, &in, err);
    saei_free(context, in.unit);
    saei_free(context, in.candidate_rows);
    saei_free(context, in.counts);
    saei_free(context, in.positive);
    saei_groups_free(in.groups);
    return status;
}

void saei_label_units_release(saei_label_units *units, sae_context *context)
{
    saei_free(context, units->of_row);
    saei_free(context, units->positive);
    saei_free(context, units->rows);
}

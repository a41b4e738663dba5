/* Conditions over the rows of a dump. */
#include "base/memory.h"
#include "dump/handle.h"
#include "dump/where.h"

typedef struct match {
    const sae_dump *dump;
    saei_where *where;
    size_t n_columns;
    double **values;             /* [n_columns] pieces of columns */
    saei_column_reader *columns; /* [n_columns] open while a shard is walked */
    unsigned char *holds;
    saei_match_fn each;
    void *arg;
} match;

static sae_status match_rows(match *m, const saei_shard *shard, sae_error *err)
{
    for (uint64_t first = 0; first < shard->rows;) {
        uint64_t count = saei_column_piece(shard, first);
        for (size_t i = 0; i < m->n_columns; i++) {
            sae_status status = saei_column_read(m->values[i], &m->columns[i], first, count, err);
            if (status != SAE_OK)
                return status;
        }
        saei_where_evaluate(m->holds, m->where, m->values, (size_t)count);
        m->each(m->arg, m->holds, shard->first + first, count);
        first += count;
    }
    return SAE_OK;
}

static sae_status match_shard(match *m, const saei_shard *shard, sae_error *err)
{
    sae_status status = SAE_OK;
    size_t opened = 0;
    while (opened < m->n_columns && status == SAE_OK) {
        status = saei_column_open(&m->columns[opened], m->dump->context, shard,
                                  saei_where_column(m->where, opened), err);
        opened += status == SAE_OK;
    }
    if (status == SAE_OK)
        status = match_rows(m, shard, err);
    while (opened > 0)
        saei_column_close(&m->columns[--opened]);
    return status;
}

static sae_status prepare(match *m, const char *condition, sae_error *err)
{
    sae_context *context = m->dump->context;
    sae_status status = saei_where_parse(&m->where, context, condition, err);
    if (status != SAE_OK)
        return status;
    size_t n = saei_where_columns(m->where), rows = saei_dump_piece_rows(m->dump);
    for (size_t i = 0; i < n && status == SAE_OK; i++)
        status = saei_dump_require_column(m->dump, saei_where_column(m->where, i), err);
    if (status == SAE_OK)
        status = saei_alloc(&m->values, context, n, sizeof *m->values, err);
    if (status != SAE_OK)
        return status;
    m->n_columns = n;
    for (size_t i = 0; i < n && status == SAE_OK; i++)
        status = saei_alloc(&m->values[i], context, rows, sizeof **m->values, err);
    if (status == SAE_OK)
        status = saei_alloc(&m->columns, context, n, sizeof *m->columns, err);
    if (status == SAE_OK)
        status = saei_alloc(&m->holds, context, rows, sizeof *m->holds, err);
    return status;
}

sae_status saei_dump_match_all(const sae_dump *dump, const char *condition, saei_match_fn each, void *arg,
                               sae_error *err)
{
    match m = {.dump = dump, .each = each, .arg = arg};
    sae_status status = prepare(&m, condition, err);
    for (size_t i = 0; i < dump->n_shards && status == SAE_OK; i++)
        status = match_shard(&m, &dump->shards[i], err);
    for (size_t i = 0; i < m.n_columns; i++)
        saei_free(dump->context, m.values[i]);
    saei_free(dump->context, m.values);
    saei_free(dump->context, m.columns);
    saei_free(dump->context, m.holds);
    saei_where_free(m.where);
    return status;
}

typedef struct selected_match {
    const saei_selection *selection;
    bool *out; /* of the next selected row */
} selected_match;

static void gather_selected(void *arg, const unsigned char *holds, uint64_t first, uint64_t count)
{
    selected_match *to = arg;
    for (uint64_t row = saei_selection_next(to->selection, first); row < first + count;
         row = saei_selection_next(to->selection, row + 1))
        *to->out++ = holds[row - first] != 0;
}

sae_status sae_dump_match(bool *out, const sae_dump *dump, const char *condition, sae_error *err)
{
    selected_match to = {&dump->selection, out};
    return saei_dump_match_all(dump, condition, gather_selected, &to, err);
}

#include "report/table.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "io/atomic_file.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct saei_table {
    sae_context *context;
    saei_atomic_file *file;
    bool row_begun;
    sae_status status;
    sae_error error;
};

sae_status saei_table_open(saei_table **out, sae_context *context, const char *folder, const char *name,
                           bool overwrite, const char *columns, sae_error *err)
{
    *out = NULL;
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return saei_fail(err, SAE_E_ARGUMENT, "%.100s…: the path is too long", folder);
    saei_table *table;
    sae_status status = saei_alloc(&table, context, 1, sizeof *table, err);
    if (status != SAE_OK)
        return status;
    *table = (saei_table){.context = context};
    status = saei_atomic_file_open(&table->file, context, path,
                                   overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = saei_atomic_file_printf(table->file, err, "%s\n", columns);
    if (status != SAE_OK) {
        saei_atomic_file_discard(table->file);
        saei_free(context, table);
        return status;
    }
    *out = table;
    return SAE_OK;
}

static void write(saei_table *table, const char *text, size_t n)
{
    if (table->status == SAE_OK)
        table->status = saei_atomic_file_write(table->file, text, n, &table->error);
}

static void begin_cell(saei_table *table)
{
    if (table->row_begun)
        write(table, ",", 1);
    table->row_begun = true;
}

/* RFC 4180: quotes around, and quotes inside doubled. */
static void write_quoted(saei_table *table, const char *text)
{
    write(table, "\"", 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            write(table, "\"", 1);
        write(table, c, 1);
    }
    write(table, "\"", 1);
}

void saei_table_text(saei_table *table, const char *text)
{
    begin_cell(table);
    if (text == NULL)
        return;
    if (strpbrk(text, ",\"\r\n") != NULL)
        write_quoted(table, text);
    else
        write(table, text, strlen(text));
}

void saei_table_number(saei_table *table, double value)
{
    char text[SAEI_NUMBER_BYTES];
    saei_number_format(text, value);
    saei_table_text(table, isnan(value) ? NULL : text);
}

void saei_table_count(saei_table *table, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    saei_table_text(table, text);
}

void saei_table_latents(saei_table *table, const uint32_t *latents, size_t n)
{
    begin_cell(table);
    for (size_t i = 0; i < n; i++) {
        char text[24];
        snprintf(text, sizeof text, i > 0 ? " %" PRIu32 : "%" PRIu32, latents[i]);
        write(table, text, strlen(text));
    }
}

void saei_table_end_row(saei_table *table)
{
    write(table, "\n", 1);
    table->row_begun = false;
}

sae_status saei_table_commit(saei_table **table, sae_error *err)
{
    saei_table *t = *table;
    if (t == NULL)
        return SAE_OK;
    *table = NULL;
    sae_status status = t->status;
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&t->file, err);
    else if (err != NULL)
        *err = t->error;
    saei_table_discard(t);
    return status;
}

void saei_table_discard(saei_table *table)
{
    if (table == NULL)
        return;
    saei_atomic_file_discard(table->file);
    saei_free(table->context, table);
}

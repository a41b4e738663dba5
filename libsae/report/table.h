/* CSV tables, cell by cell. The first failure is kept and ends the writing; commit tells it. */
#ifndef SAEI_TABLE_H
#define SAEI_TABLE_H

#include "sae/base.h"

typedef struct saei_table saei_table;

/* The file FOLDER/NAME; columns: the header line. */
sae_status saei_table_open(saei_table **out, sae_context *context, const char *folder, const char *name,
                           bool overwrite, const char *columns, sae_error *err);
void saei_table_text(saei_table *table, const char *text); /* quoted where it must be; NULL: empty */
void saei_table_number(saei_table *table, double value);   /* NaN: empty */
void saei_table_count(saei_table *table, uint64_t value);
void saei_table_latents(saei_table *table, const uint32_t *latents, size_t n); /* with spaces between */
void saei_table_end_row(saei_table *table);
/* Frees *table and sets it to NULL in every case. */
sae_status saei_table_commit(saei_table **table, sae_error *err);
/* Leaves no file. NULL is fine. */
void saei_table_discard(saei_table *table);

#endif

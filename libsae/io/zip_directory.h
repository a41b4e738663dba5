/* The central directory of a ZIP archive, checked against the file. */
#ifndef SAEI_ZIP_DIRECTORY_H
#define SAEI_ZIP_DIRECTORY_H

#include "io/input_file.h"

typedef struct saei_zip_record {
    const char *name; /* not terminated; no NUL inside */
    size_t name_length;
    uint64_t bytes, stored, local_start, data_start;
    uint32_t crc;
    bool deflated;
} saei_zip_record;

typedef struct saei_zip_directory {
    sae_context *context;
    const saei_input_file *file;
    unsigned char *bytes; /* as in the file */
    size_t n_bytes, n_records;
    uint64_t start;       /* of the directory in the file; members lie before it */
    size_t comment_bytes; /* of the archive: the last bytes of the file */
} saei_zip_directory;

/* Finds the end record and reads the directory. *out may be freed whether or not this fails. */
sae_status saei_zip_directory_read(saei_zip_directory *out, sae_context *context, const saei_input_file *file,
                                   sae_error *err);
void saei_zip_directory_free(saei_zip_directory *directory);

/* Parses and checks record after record, local headers included, and hands each on, n_records in all; then
   checks that no two members share a byte. Stops at the first failure. */
typedef sae_status (*saei_zip_record_fn)(void *user, const saei_zip_record *record, sae_error *err);
sae_status saei_zip_directory_each(const saei_zip_directory *directory, saei_zip_record_fn each, void *user,
                                   sae_error *err);

#endif

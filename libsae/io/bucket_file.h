/* Records of one size, spread over buckets that together are larger than memory: one temporary file, in which
   every bucket has extents of its own. */
#ifndef SAEI_BUCKET_FILE_H
#define SAEI_BUCKET_FILE_H

#include "sae/base.h"

typedef struct saei_bucket_file saei_bucket_file;

/* The file is created at path, which must not exist, or among the temporary files (saei_scratch_open) when
   path is NULL, and has no name from then on: whatever ends the program frees its space. extent_records:
   records of a bucket that are written at once; n_buckets as many are held in memory. Errors call it path. */
sae_status saei_bucket_file_new(saei_bucket_file **out, sae_context *context, const char *path,
                                size_t n_buckets, size_t record_bytes, size_t extent_records, sae_error *err);
void saei_bucket_file_free(saei_bucket_file *file);

/* Room for the next record of a bucket, to be filled before the next call. */
sae_status saei_bucket_file_add(unsigned char **record, saei_bucket_file *file, size_t bucket,
                                sae_error *err);

/* Writes what is still in memory and frees its buffers; nothing can be added afterwards. */
sae_status saei_bucket_file_flush(saei_bucket_file *file, sae_error *err);

uint64_t saei_bucket_file_count(const saei_bucket_file *file, size_t bucket); /* records */

/* All records of a bucket, in the order in which they were added; after the flush. */
sae_status saei_bucket_file_read(unsigned char *out, const saei_bucket_file *file, size_t bucket,
                                 sae_error *err);

#endif

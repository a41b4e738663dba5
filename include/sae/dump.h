/* Dumps: one matrix of activations in one file or many shards, with columns of numbers beside its rows. */
#ifndef SAE_DUMP_H
#define SAE_DUMP_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An open dump: the rows its selection keeps, in file order, and their columns. Immutable once open; reads
   may come from several threads (they are serialised inside). */
typedef struct sae_dump sae_dump;

typedef struct sae_dump_options {
    size_t size;
    /* Name of the activation dataset inside the files; NULL: the one 2-D or 3-D float dataset there is. */
    const char *dataset;
    /* Row selection, NULL: all rows. Conditions on columns: "is_continuation=0 and position>0", with
       = == != < <= > >=, `and`, `or`, `not`, parentheses and decimal numbers. */
    const char *where;
    /* false: the first read that meets NaN or Inf fails with SAE_E_NONFINITE and the count of such rows.
       true: such rows are found at open (one pass over the data) and left out. */
    bool drop_nonfinite;
} sae_dump_options;

SAE_API void sae_dump_options_init(sae_dump_options *options);

/* Opens n_paths files, HDF5, .npy, .npz, safetensors, .pt or raw rows, as one dump: rows in the order of the paths. A
   path may also be a folder, which stands for its files of one kind, or a pattern of the shell for the names in one
   folder; numbers in names then count as numbers. Every shard is checked now: same width, same columns. A 3-D
   dataset [sequence, position, d] becomes rows with columns "sequence" and "position". Columns: every 1-D number
   array with as many entries as rows and every [sequence, position], by its name ("labels/persona"); beside
   NAME.npy the files NAME.COLUMN.npy; of a folder of raw shards its tokens.pt and sequence_ranges.pt. Rows whose
   integer or bool column "mask", else "attention_mask", is 0 are padding: they are not selected (docs/FORMATS.md).
   Errors: SAE_E_NOT_FOUND, SAE_E_IO, SAE_E_FORMAT, SAE_E_UNSUPPORTED, SAE_E_MISMATCH (shards differ),
   SAE_E_ARGUMENT (bad `where`, or several candidate datasets: the text lists them). */
SAE_API sae_status sae_dump_open(sae_dump **out, sae_context *context, const char *const *paths, size_t n_paths,
                                 const sae_dump_options *options, sae_error *err);

/* A dump over rows in memory. The rows are borrowed: they must stay unchanged until sae_dump_free. */
SAE_API sae_status sae_dump_from_rows(sae_dump **out, sae_context *context, sae_view rows, sae_error *err);

/* Adds a column to a dump made by sae_dump_from_rows: values [rows] are copied. */
SAE_API sae_status sae_dump_add_column(sae_dump *dump, const char *name, const double *values, sae_error *err);

/* Two dumps of the same tokens by two models, as one dump whose row i is made of selected row i of both. It reads
   through them: both must outlive it. Its columns are those of `before`. SAE_E_MISMATCH, with the first difference:
   other widths, numbers of rows, or values of token_ids, position, prompt_id, doc_id, sequence or is_continuation,
   those of these columns that both have; or a side has left out rows for NaN. */
typedef struct sae_pair_options {
    size_t size;
    double before_scale, after_scale; /* factors of the rows of each side; 0: 1 / its mean norm, in one more pass */
    sae_progress_fn progress;
    void *progress_user;
} sae_pair_options;

SAE_API void sae_pair_options_init(sae_pair_options *options);

/* Rows [before_scale x_before, after_scale x_after] of width 2 d: neither model counts more for being longer. A
   BatchTopK SAE of them is a crosscoder (docs/METHODS.md); the scales are in its metadata. */
SAE_API sae_status sae_dump_pair(sae_dump **out, const sae_dump *before, const sae_dump *after,
                                 const sae_pair_options *options, sae_error *err);

/* Rows x_after − x_before, in raw activation units. */
SAE_API sae_status sae_dump_difference(sae_dump **out, const sae_dump *before, const sae_dump *after, sae_error *err);

SAE_API void sae_dump_free(sae_dump *dump);

SAE_API const char *sae_dump_name(const sae_dump *dump);       /* path of the first file, for messages */
SAE_API size_t sae_dump_dim(const sae_dump *dump);             /* d */
SAE_API uint64_t sae_dump_rows(const sae_dump *dump);          /* rows that the selection keeps */
SAE_API uint64_t sae_dump_rows_total(const sae_dump *dump);    /* rows in the files */
SAE_API uint64_t sae_dump_rows_dropped(const sae_dump *dump);  /* selected rows left out for NaN or Inf */

SAE_API size_t sae_dump_columns(const sae_dump *dump);
SAE_API const char *sae_dump_column_name(const sae_dump *dump, size_t i); /* NULL when i is out of range */
SAE_API bool sae_dump_has_column(const sae_dump *dump, const char *name);

/* A text attribute of the first file ("model", "hook", "layer"), numbers as text; of a pair or
   difference, that of `before`. NULL: it has none of that name. */
SAE_API const char *sae_dump_attribute(const sae_dump *dump, const char *name);

/* Reads selected rows first .. first + count - 1 as float32 into out [count, d]. */
SAE_API sae_status sae_dump_read(float *out, const sae_dump *dump, uint64_t first, size_t count, sae_error *err);

/* Reads a column of the selected rows into out [sae_dump_rows]. Integers beyond 2^53 fail with
   SAE_E_UNSUPPORTED, since a double cannot hold them. */
SAE_API sae_status sae_dump_read_column(double *out, const sae_dump *dump, const char *name, sae_error *err);

/* out [sae_dump_rows]: whether the condition (grammar of `where`) holds for each selected row. */
SAE_API sae_status sae_dump_match(bool *out, const sae_dump *dump, const char *condition, sae_error *err);

/* Rows that are far longer than most, such as first tokens: they can take over the loss of a training. A mean
   that is long beside the spread tells that rows should be centred. */
typedef struct sae_outliers {
    double mean_over_sigma; /* ‖E x‖ / σ, σ² = E‖x − E x‖² */
    double median;          /* norm of the middle row among those that are not 0, within 2 % */
    double limit;           /* rows of at least this norm are outliers: 10 times the median, or up to 4 % above that */
    uint64_t rows;          /* how many those are */
    double largest;         /* largest norm of a row */
    uint64_t largest_row;   /* the first such row, among the selected ones */
    double position;        /* its entry of the column "position"; NaN when there is none */
} sae_outliers;

/* Reads the selected rows once. SAE_E_NONFINITE as sae_dump_read, SAE_STOPPED when progress asked for it. */
SAE_API sae_status sae_dump_outliers(sae_outliers *out, const sae_dump *dump, sae_progress_fn progress, void *user,
                                     sae_error *err);

typedef struct sae_shuffle_options {
    size_t size;
    uint64_t seed;
    bool overwrite; /* false: SAE_E_EXISTS when there is a file at the path */
    sae_progress_fn progress;
    void *progress_user;
} sae_shuffle_options;

SAE_API void sae_shuffle_options_init(sae_shuffle_options *options);

/* Writes the selected rows in random order to a new file: every order is equally likely, and follows from the
   seed and the number of rows alone. Two passes over the data, within the memory limit of the context; needs
   about the space of the rows twice, once for a temporary file without a name in the folder of path. float16,
   bfloat16, float32 and float64 rows stay as they are, NaN and Inf included; other types, and shards of
   several, become float32. path ends in .npy, for the rows alone, or in .h5, .hdf5, .npz, .safetensors or
   .pt: then each column goes with its rows, as uint64 (int64 in .pt) where all its values are whole and not negative,
   else as float64, and the rows are not packed. The file at path is whole or absent. SAE_E_ARGUMENT: another suffix; SAE_E_EXISTS; SAE_E_IO;
   SAE_E_MEMORY: the limit is too small for so many rows; SAE_STOPPED: progress asked for it. */
SAE_API sae_status sae_dump_shuffle(const sae_dump *dump, const char *path,
                                    const sae_shuffle_options *options, sae_error *err);

/* Writes the selected rows in their order to a new file, in the type in which they are stored: float16, bfloat16,
   float32 and float64 keep every bit; other types, and shards of several, become float32. path, columns and
   errors as for sae_dump_shuffle; text attributes of the first file go along, but not into .npy. One pass, memory for a
   few megabytes of rows. */
SAE_API sae_status sae_dump_save(const sae_dump *dump, const char *path, bool overwrite, sae_progress_fn progress,
                                 void *user, sae_error *err);

/* A condensed description of any file libsae reads or writes. */
typedef struct sae_file sae_file;

/* Looks at the file by content, not by suffix. Errors as sae_dump_open. */
SAE_API sae_status sae_file_open(sae_file **out, sae_context *context, const char *path, sae_error *err);
SAE_API void sae_file_free(sae_file *file);
SAE_API const char *sae_file_format(const sae_file *file); /* "HDF5", "npy", "npz", "safetensors", "PyTorch", "raw" */
/* "dump", "model", "codes", "steering", "checkpoint", "ranking", "rankers", "statistics", "prompt means"; "arrays": none
   of them. */
SAE_API const char *sae_file_role(const sae_file *file);
SAE_API uint64_t sae_file_bytes(const sae_file *file);
SAE_API size_t sae_file_tensors(const sae_file *file);
SAE_API const char *sae_file_tensor_name(const sae_file *file, size_t i);
SAE_API const char *sae_file_tensor_dtype(const sae_file *file, size_t i); /* "float16", "bfloat16", "uint8" … */
SAE_API size_t sae_file_tensor_rank(const sae_file *file, size_t i);
SAE_API uint64_t sae_file_tensor_extent(const sae_file *file, size_t i, size_t axis);
/* Reads all values of a tensor: their CRC-32 as little-endian float32 in C order, each NaN as 0x7fc00000, by which
   tensors of different files and formats can be compared. SAE_E_ARGUMENT: there are not so many tensors;
   SAE_E_FORMAT: the file is damaged. */
SAE_API sae_status sae_file_tensor_crc32(uint32_t *out, sae_file *file, size_t i, sae_error *err);
/* Reads what belongs to no tensor but has a checksum, such as other members of a .npz or .pt: SAE_E_FORMAT. */
SAE_API sae_status sae_file_check_rest(sae_file *file, sae_error *err);
/* Attributes of an HDF5 file, metadata of a safetensors file, as text. */
SAE_API size_t sae_file_attributes(const sae_file *file);
SAE_API const char *sae_file_attribute_name(const sae_file *file, size_t i);
SAE_API const char *sae_file_attribute_value(const sae_file *file, size_t i);

#ifdef __cplusplus
}
#endif
#endif

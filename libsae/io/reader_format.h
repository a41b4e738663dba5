/* What a format does to be read through saei_reader: an open function that adds its arrays, and two calls. */
#ifndef SAEI_READER_FORMAT_H
#define SAEI_READER_FORMAT_H

#include "io/reader.h"
#include "io/strided.h"

typedef struct saei_format {
    const char *name; /* "HDF5", "npy" … */
    /* Entries first .. first + count - 1 of an array as stored but little-endian and in C order. The range
       was checked and holds at least one element. Calls are serialised by the reader. */
    sae_status (*read)(void *out, void *state, size_t array, uint64_t first, uint64_t count, sae_error *err);
    /* NULL, or the same as float32 by way of `how`, whose inflater holds the chunks. *finite becomes false
       when one is NaN or infinite. *done = false: not for this array and range, whatever out and *finite
       hold now. */
    sae_status (*unpack)(bool *done, float *out, bool *finite, void *state, size_t array, uint64_t first,
                         uint64_t count, const saei_unpacking *how, sae_error *err);
    void (*close)(void *state);
    /* NULL, or saei_reader_check_rest. */
    sae_status (*check_rest)(void *state, sae_error *err);
    /* NULL, or saei_reader_release. */
    void (*release)(void *state);
} saei_format;

/* Called with the file open and recognised: sets *format and *state (closed by the reader even on failure,
   once set) and adds the arrays. */
sae_status saei_npy_open(saei_reader *reader, sae_error *err);
sae_status saei_hdf5_open(saei_reader *reader, sae_error *err);
sae_status saei_zip_open_reader(saei_reader *reader, sae_error *err); /* .npz or .pt */
sae_status saei_torch_open_legacy(saei_reader *reader, sae_error *err);
sae_status saei_safetensors_open_reader(saei_reader *reader, sae_error *err);

sae_context *saei_reader_context(const saei_reader *reader);
bool saei_reader_is_trusted(
    const saei_reader *reader); /* whether it may be read in this process by any library */
const saei_input_file *saei_reader_input(const saei_reader *reader);
const saei_byte_run *saei_reader_run(const saei_reader *reader); /* all of it */
void *saei_reader_state(const saei_reader *reader);              /* as it was set */
void saei_reader_set_format(saei_reader *reader, const saei_format *format, void *state);

/* Copies *info and its name. SAE_E_FORMAT when its size does not fit 63 bits. */
sae_status saei_reader_add_array(saei_reader *reader, const saei_array_info *info, sae_error *err);
/* The same for an array that saei_strided_read reads. */
sae_status saei_reader_add_strided(saei_reader *reader, const char *name, const saei_strided *array,
                                   const saei_byte_run *run, sae_error *err);
sae_status saei_reader_add_attribute(saei_reader *reader, const char *name, const char *value,
                                     sae_error *err);

/* Elements of one entry: the product of all axes but the first. */
uint64_t saei_array_entry(const saei_array_info *array);
uint64_t saei_array_entries(const saei_array_info *array);

#endif

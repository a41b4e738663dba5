/* Raw rows: an array as it lies in memory, little-endian and in C order, with a JSON file beside it that has
   its shape and type. dictionary_learning's activation store is made of such shards. */
#ifndef SAEI_RAW_H
#define SAEI_RAW_H

#include "io/reader_format.h"

/* Whether the name is that of raw rows: it ends in .memmap, .bin, .raw or .dat. */
bool saei_raw_is_named(const char *path);

/* Opens the file as raw rows. For NAME.memmap the side file is NAME.meta, NAME.json, NAME.memmap.meta or
   NAME.memmap.json, the first there is: {"shape": [rows, d], "dtype": "bfloat16"}; dtype may stand in
   config.json of the folder instead, and may be written "torch.bfloat16" or "<f2". *found = false: there is
   no side file. */
sae_status saei_raw_open(bool *found, saei_reader *reader, sae_error *err);

#endif

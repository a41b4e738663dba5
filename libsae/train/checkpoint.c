/* The checkpoint file: safetensors with every number a run consists of, each under its own name. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/safetensors.h"
#include "train/choices.h"
#include "train/trainer_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* One named piece of state: a vector, or a scalar when count is 0. */
typedef struct piece {
    const char *name;
    saei_dtype dtype;
    size_t count;
    void *data;
} piece;

enum { PIECES_MAX = 80, CHECKSUM_TEXT = 33 };

static size_t elements(const piece *p)
{
    return p->count > 0 ? p->count : 1;
}

/* What decides the sizes of all else. */
static size_t list_numbers(piece out[PIECES_MAX], sae_trainer *t)
{
    sae_train_options *o = &t->options;
    _Static_assert(sizeof(sae_architecture) == sizeof(uint32_t), "enums are stored as 32-bit integers");
    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "size_t options are stored as 64-bit integers");
    const piece numbers[] = {
        {"d", SAEI_U64, 0, &t->d},
        {"rows", SAEI_U64, 0, &t->rows},
        {"window_rows", SAEI_U64, 0, &t->window_rows},
        {"step", SAEI_U64, 0, &t->step},
        {"epoch", SAEI_U64, 0, &t->place.epoch},
        {"window", SAEI_U64, 0, &t->place.window},
        {"position", SAEI_U64, 0, &t->place.position},
        {"scale", SAEI_F64, 0, &t->scale},
        {"n_latents", SAEI_U64, 0, &o->n_latents},
        {"k", SAEI_U64, 0, &o->k},
        {"batch_rows", SAEI_U64, 0, &o->batch_rows},
        {"steps", SAEI_U64, 0, &o->steps},
        {"seed", SAEI_U64, 0, &o->seed},
        {"data_seed", SAEI_U64, 0, &o->data_seed},
        {"aux_k", SAEI_U64, 0, &o->aux_k},
        {"dead_after", SAEI_U64, 0, &o->dead_after},
        {"heldout_every", SAEI_U64, 0, &o->heldout_every},
        {"learning_rate", SAEI_F64, 0, &o->learning_rate},
        {"warmup", SAEI_F64, 0, &o->warmup},
        {"decay_start", SAEI_F64, 0, &o->decay_start},
        {"beta1", SAEI_F64, 0, &o->beta1},
        {"beta2", SAEI_F64, 0, &o->beta2},
        {"epsilon", SAEI_F64, 0, &o->epsilon},
        {"clip", SAEI_F64, 0, &o->clip},
        {"aux_coefficient", SAEI_F64, 0, &o->aux_coefficient},
        {"heldout", SAEI_F64, 0, &o->heldout},
        {"decay_to", SAEI_F64, 0, &o->decay_to},
        {"architecture", SAEI_U32, 0, &o->architecture},
        {"sparsity", SAEI_U32, 0, &o->sparsity},
        {"sparsity_coefficient", SAEI_F64, 0, &o->sparsity_coefficient},
        {"sparsity_warmup", SAEI_F64, 0, &o->sparsity_warmup},
        {"k_start", SAEI_F64, 0, &o->k_start},
        {"k_anneal", SAEI_F64, 0, &o->k_anneal},
        {"bandwidth", SAEI_F64, 0, &o->bandwidth},
        {"threshold_start", SAEI_F64, 0, &o->threshold_start},
        {"pre_act_coefficient", SAEI_F64, 0, &o->pre_act_coefficient},
        {"p_start", SAEI_F64, 0, &o->p_start},
        {"p_end", SAEI_F64, 0, &o->p_end},
        {"p_updates", SAEI_U64, 0, &o->p_updates},
        {"row_share", SAEI_U64, 0, &o->row_share},
        {"n_groups", SAEI_U64, 0, &o->n_groups},
        {"groups", SAEI_F64, SAE_GROUPS_MAX, o->groups},
        {"group_loss", SAEI_U32, 0, &o->group_loss},
        {"warmup_from_zero", SAEI_BOOL, 0, &o->warmup_from_zero},
        {"sparsity_from_zero", SAEI_BOOL, 0, &o->sparsity_from_zero},
        {"detached_gate", SAEI_BOOL, 0, &o->detached_gate},
        {"rank_by_decoder_norm", SAEI_BOOL, 0, &o->rank_by_decoder_norm},
        {"raw_input", SAEI_BOOL, 0, &o->raw_input},
        {"blas_encoder", SAEI_BOOL, 0, &o->blas_encoder},
        {"free_decoder", SAEI_BOOL, 0, &o->free_decoder},
        {"start_norm", SAEI_F64, 0, &o->start_norm},
        {"aux_style", SAEI_U32, 0, &o->aux_style},
        {"resample_every", SAEI_U64, 0, &o->resample_every},
        {"threshold_rule", SAEI_U32, 0, &o->threshold_rule},
        {"patience", SAEI_U64, 0, &o->patience},
        {"spike", SAEI_F64, 0, &o->spike},
        {"threshold", SAEI_F64, 0, &t->threshold},
        {"anneal", SAEI_F64, 0, &t->anneal},
        {"running_loss", SAEI_F64, 0, &t->running_loss},
        {"best_fvu", SAEI_F64, 0, &t->best_fvu},
        {"without_gain", SAEI_U64, 0, &t->without_gain},
        {"l0", SAEI_F64, 0, &t->l0},
    };
    memcpy(out, numbers, sizeof numbers);
    return sizeof numbers / sizeof numbers[0];
}

static size_t list_arrays(piece *out, sae_trainer *t)
{
    const piece arrays[] = {
        {"parameters", SAEI_F32, t->parameters.count, t->parameters.all},
        {"adam_m", SAEI_F32, t->adam.m.count, t->adam.m.all},
        {"adam_v", SAEI_F32, t->adam.v.count, t->adam.v.all},
        {"silent", SAEI_U64, t->options.n_latents, t->silent},
    };
    memcpy(out, arrays, sizeof arrays);
    return sizeof arrays / sizeof arrays[0];
}

/* XXH3-128 over names and contents, chained. */
static void checksum(char out[CHECKSUM_TEXT], const piece *pieces, size_t n, const char *data_hash)
{
    XXH128_hash_t hash = XXH3_128bits(data_hash, strlen(data_hash));
    for (size_t i = 0; i < n; i++) {
        XXH128_hash_t part[3] = {
            hash, XXH3_128bits(pieces[i].name, strlen(pieces[i].name)),
            XXH3_128bits(pieces[i].data, elements(&pieces[i]) * saei_dtype_size(pieces[i].dtype))};
        hash = XXH3_128bits(part, sizeof part);
    }
    snprintf(out, CHECKSUM_TEXT, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

sae_status sae_trainer_save(const sae_trainer *trainer, const char *path, sae_error *err)
{
    /* The pieces point into a copy, so that the size of the window can be set. */
    sae_trainer t = *trainer;
    t.window_rows = saei_batches_window_rows(trainer->batches);
    piece pieces[PIECES_MAX];
    saei_tensor_out tensors[PIECES_MAX];
    size_t n = list_numbers(pieces, &t);
    n += list_arrays(pieces + n, &t);
    for (size_t i = 0; i < n; i++)
        tensors[i] = (saei_tensor_out){.name = pieces[i].name,
                                       .dtype = pieces[i].dtype,
                                       .rank = pieces[i].count > 0,
                                       .shape = {pieces[i].count},
                                       .data = pieces[i].data};
    char sum[CHECKSUM_TEXT];
    checksum(sum, pieces, n, t.data_hash);
    const saei_metadata metadata[] = {
        {"format", "libsae-checkpoint"}, {"version", "4"}, {"data_xxh3_128", t.data_hash}, {"xxh3_128", sum}};
    return saei_safetensors_save(t.context, path, SAEI_KEEP_PREVIOUS, tensors, n, metadata,
                                 sizeof metadata / sizeof metadata[0], err);
}

static sae_status read_pieces(const piece *pieces, size_t n, const saei_safetensors *file, const char *path,
                              sae_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const saei_tensor_info *tensor = saei_safetensors_find(file, pieces[i].name);
        if (tensor == NULL || tensor->dtype != pieces[i].dtype || tensor->elements != elements(&pieces[i]))
            return saei_fail(err, SAE_E_FORMAT, "%s: the checkpoint's %s is missing or of another size", path,
                             pieces[i].name);
        sae_status status = saei_safetensors_read_raw(
            pieces[i].data, file, tensor, elements(&pieces[i]) * saei_dtype_size(pieces[i].dtype), err);
        if (status != SAE_OK)
            return status;
    }
    return SAE_OK;
}

static sae_status check_identity(const sae_trainer *t, const saei_safetensors *file, const char *path,
                                 sae_error *err)
{
    const char *format = saei_safetensors_metadata(file, "format");
    const char *version = saei_safetensors_metadata(file, "version");
    const char *data = saei_safetensors_metadata(file, "data_xxh3_128");
    if (format == NULL || strcmp(format, "libsae-checkpoint") != 0 || version == NULL ||
        strcmp(version, "4") != 0)
        return saei_fail(err, SAE_E_FORMAT, "%s: not a checkpoint of this version of libsae", path);
    if (data == NULL || strcmp(data, t->data_hash) != 0)
        return saei_fail(
            err, SAE_E_MISMATCH,
            "%s: the checkpoint belongs to other rows than %s selects now; resume with the same data", path,
            sae_dump_name(t->dump));
    return SAE_OK;
}

/* A byte of a file is no bool before it is known to be 0 or 1. */
static bool flags_valid(const sae_train_options *o)
{
    const bool *const flags[] = {&o->detached_gate,       &o->raw_input,        &o->free_decoder,
                                 &o->blas_encoder,        &o->warmup_from_zero, &o->sparsity_from_zero,
                                 &o->rank_by_decoder_norm};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        unsigned char byte;
        memcpy(&byte, flags[i], 1);
        if (byte > 1)
            return false;
    }
    return true;
}

/* Sizes from a file are data: they must be those of this dump before anything is allocated by them. */
static sae_status check_numbers(const sae_trainer *t, uint64_t d, uint64_t rows, const char *path,
                                sae_error *err)
{
    const sae_train_options *o = &t->options;
    if (t->d != d || t->rows != rows || t->window_rows < 1 || t->step > o->steps || o->n_latents < 1 ||
        o->k < 1 || o->steps < 1 || o->batch_rows < 1 || o->dead_after < 1 || o->heldout_every < 1 ||
        !flags_valid(o) || o->sparsity > SAE_SPARSITY_LP_ROOT || o->group_loss > SAE_GROUP_LOSS_MEAN_TWICE ||
        !(t->scale > 0.0) || !(o->k_start >= 1.0 && o->k_start <= (double)o->n_latents))
        return saei_fail(err, SAE_E_FORMAT, "%s: the numbers of the checkpoint do not make sense", path);
    return SAE_OK;
}

/* leader NULL: the rows are its own. */
static sae_status read_state(sae_trainer *t, const sae_trainer *leader, const saei_safetensors *file,
                             const char *path, sae_error *err)
{
    piece pieces[PIECES_MAX];
    uint64_t d = t->d, rows = t->rows;
    size_t n = list_numbers(pieces, t);
    sae_status status = check_identity(t, file, path, err);
    if (status == SAE_OK)
        status = read_pieces(pieces, n, file, path, err);
    if (status == SAE_OK)
        status = check_numbers(t, d, rows, path, err);
    if (status == SAE_OK)
        status = saei_train_options_choose(&t->options, (size_t)t->d, t->rows, err);
    if (status == SAE_OK)
        status = saei_trainer_prepare(t, leader != NULL ? leader : t, err);
    if (status != SAE_OK)
        return status;
    size_t arrays = list_arrays(pieces + n, t);
    status = read_pieces(pieces + n, arrays, file, path, err);
    if (status != SAE_OK)
        return status;
    char sum[CHECKSUM_TEXT];
    checksum(sum, pieces, n + arrays, t->data_hash);
    const char *expected = saei_safetensors_metadata(file, "xxh3_128");
    if (expected == NULL || strcmp(expected, sum) != 0)
        return saei_fail(err, SAE_E_FORMAT, "%s: the checksum does not match: the checkpoint is damaged",
                         path);
    saei_objective_pack(&t->objective, &t->parameters);
    return saei_batches_seek(t->batches, t->place, err);
}

static sae_status load_file(sae_trainer **out, saei_trainer_set *set, const char *path,
                            const sae_train_options *options, sae_error *err)
{
    saei_safetensors *file = NULL;
    sae_trainer *t;
    sae_status status = saei_trainer_alloc(&t, set->dump, set->heldout, options, err);
    if (status != SAE_OK)
        return status;
    t->options.start = NULL;
    status = saei_safetensors_open(&file, t->context, path, err);
    if (status == SAE_OK)
        status = saei_trainer_set_scan(set, t, err);
    if (status == SAE_OK)
        status = read_state(t, set->leader, file, path, err);
    saei_safetensors_free(file);
    if (status != SAE_OK) {
        sae_trainer_free(t);
        return status;
    }
    *out = t;
    return SAE_OK;
}

sae_status saei_trainer_set_load(sae_trainer **out, saei_trainer_set *set, const char *path,
                                 const sae_train_options *options, sae_error *err)
{
    sae_error first;
    char previous[4096];
    sae_status status = load_file(out, set, path, options, &first);
    bool damaged = status == SAE_E_FORMAT || status == SAE_E_NOT_FOUND || status == SAE_E_IO;
    if (damaged && (size_t)snprintf(previous, sizeof previous, "%s.prev", path) < sizeof previous &&
        load_file(out, set, previous, options, NULL) == SAE_OK) {
        saei_log(set->context, "%s; going on from %s", first.text, previous);
        return SAE_OK;
    }
    if (status != SAE_OK && err != NULL)
        *err = first;
    return status;
}

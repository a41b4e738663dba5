#include "io/strided.h"
#include "base/memory.h"
#include "num/convert.h"

#include <string.h>

enum {
    SPAN_BYTES = 4 << 20,    /* what holds all elements of a read is read whole up to this size */
    PIECE_BYTES = 1 << 14,   /* of one line of elements otherwise */
    TURNED_ROWS = 1024,      /* entries of an array that is stored the other way round */
    PACKED_BYTES = 1 << 20,  /* of a run that is inflated from front to back */
    FAR_STRIDE_BYTES = 4096, /* from here on single elements are read, not what lies between them */
};

/* Axes without the ones of extent 1; those that follow one another in memory are one. */
typedef struct axes {
    size_t n;
    uint64_t extent[SAEI_ARRAY_RANK_MAX], stride[SAEI_ARRAY_RANK_MAX];
} axes;

void saei_strided_pack(saei_strided *array, bool fortran_order)
{
    uint64_t stride = 1;
    for (size_t i = 0; i < array->rank; i++) {
        size_t axis = fortran_order ? i : array->rank - 1 - i;
        array->stride[axis] = stride;
        stride *= array->shape[axis];
    }
}

static axes simplify(const saei_strided *array, uint64_t count)
{
    axes a = {0};
    for (size_t axis = 0; axis < array->rank; axis++) {
        uint64_t extent = axis == 0 ? count : array->shape[axis], stride = array->stride[axis];
        if (extent == 1)
            continue;
        if (a.n > 0 && a.stride[a.n - 1] == extent * stride) {
            a.extent[a.n - 1] *= extent;
            a.stride[a.n - 1] = stride;
            continue;
        }
        a.extent[a.n] = extent;
        a.stride[a.n++] = stride;
    }
    return a;
}

static bool is_contiguous(const axes *a)
{
    return a->n == 0 || (a->n == 1 && a->stride[0] == 1);
}

/* The elements from the first of the read to its last, in the run. */
static uint64_t span_of(const axes *a)
{
    uint64_t span = 1;
    for (size_t i = 0; i < a->n; i++)
        span += (a->extent[i] - 1) * a->stride[i];
    return span;
}

/* Goes to the next index over the axes, without the axis `except`; false after the last. `from` and `to` are
   the places in the run and in C order, in elements. */
static bool advance(const axes *a, const uint64_t to_stride[], size_t except, uint64_t index[],
                    uint64_t *from, uint64_t *to)
{
    for (size_t i = a->n; i-- > 0;) {
        if (i == except)
            continue;
        *from += a->stride[i];
        *to += to_stride[i];
        if (++index[i] < a->extent[i])
            return true;
        *from -= a->extent[i] * a->stride[i];
        *to -= a->extent[i] * to_stride[i];
        index[i] = 0;
    }
    return false;
}

static void copy_line(unsigned char *out, uint64_t out_stride, const unsigned char *in, uint64_t in_stride,
                      uint64_t n, size_t item)
{
    for (uint64_t i = 0; i < n; i++)
        memcpy(out + i * out_stride * item, in + i * in_stride * item, item);
}

/* One line of n elements of the run, piece by piece. */
static sae_status read_line(unsigned char *out, uint64_t out_stride, const saei_byte_run *run, uint64_t at,
                            uint64_t in_stride, uint64_t n, size_t item, sae_error *err)
{
    unsigned char piece[PIECE_BYTES];
    uint64_t step = in_stride * item,
             per_piece = step < FAR_STRIDE_BYTES ? (PIECE_BYTES - item) / step + 1 : 1;
    for (uint64_t done = 0; done < n; done += per_piece) {
        uint64_t m = n - done < per_piece ? n - done : per_piece;
        sae_status status =
            saei_byte_run_read(piece, run, at + done * step, (size_t)((m - 1) * step + item), err);
        if (status != SAE_OK)
            return status;
        copy_line(out + done * out_stride * item, out_stride, piece, in_stride, m, item);
    }
    return SAE_OK;
}

/* The axis whose lines are read: that of the smallest stride above 0. A span beyond SPAN_BYTES has one. */
static size_t line_axis(const axes *a)
{
    size_t best = a->n;
    for (size_t i = 0; i < a->n; i++)
        if (a->stride[i] > 0 && (best == a->n || a->stride[i] < a->stride[best]))
            best = i;
    return best < a->n ? best : 0;
}

/* From the run, or from memory that holds all of the span. */
static sae_status gather(unsigned char *out, const axes *a, const saei_byte_run *run,
                         const unsigned char *span, uint64_t at, size_t item, sae_error *err)
{
    uint64_t to_stride[SAEI_ARRAY_RANK_MAX], index[SAEI_ARRAY_RANK_MAX] = {0}, from = 0, to = 0, whole = 1;
    for (size_t i = a->n; i-- > 0;) {
        to_stride[i] = whole;
        whole *= a->extent[i];
    }
    size_t line = line_axis(a);
    do {
        uint64_t n = a->extent[line], stride = a->stride[line];
        unsigned char *start = out + to * item;
        if (span != NULL)
            copy_line(start, to_stride[line], span + from * item, stride, n, item);
        else {
            sae_status status =
                read_line(start, to_stride[line], run, at + from * item, stride, n, item, err);
            if (status != SAE_OK)
                return status;
        }
    } while (advance(a, to_stride, line, index, &from, &to));
    return SAE_OK;
}

sae_status saei_strided_read(void *out, const saei_strided *array, const saei_byte_run *run, uint64_t first,
                             uint64_t count, sae_error *err)
{
    size_t item = saei_dtype_size(array->dtype);
    uint64_t at = array->start + (array->rank > 0 ? first * array->stride[0] : 0) * item, elements = count;
    for (size_t axis = 1; axis < array->rank; axis++)
        elements *= array->shape[axis];
    axes a = simplify(array, count);
    uint64_t span_bytes = span_of(&a) * item;
    sae_status status;
    if (is_contiguous(&a))
        status = saei_byte_run_read(out, run, at, (size_t)span_bytes, err);
    else if (span_bytes <= SPAN_BYTES) {
        unsigned char *span;
        status = saei_alloc(&span, run->context, (size_t)span_bytes, 1, err);
        if (status == SAE_OK)
            status = saei_byte_run_read(span, run, at, (size_t)span_bytes, err);
        if (status == SAE_OK)
            status = gather(out, &a, run, span, at, item, err);
        saei_free(run->context, span);
    } else
        status = gather(out, &a, run, NULL, at, item, err);
    if (status == SAE_OK && array->big_endian)
        saei_swap_bytes(out, item, (size_t)elements);
    return status;
}

bool saei_strided_is_plain(const saei_strided *array)
{
    axes a = simplify(array, array->rank > 0 ? array->shape[0] : 1);
    return is_contiguous(&a) && !array->big_endian;
}

uint64_t saei_strided_chunk_rows(const saei_strided *array, const saei_byte_run *run)
{
    if (array->rank == 0 || array->shape[0] == 0)
        return 0;
    uint64_t entry = saei_dtype_size(array->dtype);
    for (size_t axis = 1; axis < array->rank; axis++)
        entry *= array->shape[axis];
    axes a = simplify(array, array->shape[0]);
    if (is_contiguous(&a))
        return run->forward && entry > 0 ? (entry < PACKED_BYTES ? PACKED_BYTES / entry : 1) : 0;
    /* Turned and packed, every read goes through all of the run. */
    return run->forward ? array->shape[0] : TURNED_ROWS;
}

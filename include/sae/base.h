/* Status, errors, the context, and plain types shared by every layer. */
#ifndef SAE_BASE_H
#define SAE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAE_VERSION_MAJOR 0
#define SAE_VERSION_MINOR 1
#define SAE_VERSION_PATCH 0
#define SAE_VERSION "0.1.0"

#if defined(__GNUC__)
#define SAE_API __attribute__((visibility("default")))
#define SAE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SAE_API
#define SAE_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sae_status {
    SAE_OK = 0,
    SAE_STOPPED,       /* a progress callback asked to stop; the work can be resumed */
    SAE_E_ARGUMENT,    /* an argument or option is out of its range */
    SAE_E_MEMORY,      /* the allocator returned NULL, or the context's memory limit would be passed */
    SAE_E_IO,          /* the operating system refused to read or write; see os_errno */
    SAE_E_FORMAT,      /* the file is damaged, cut off, or not of its format */
    SAE_E_UNSUPPORTED, /* a valid file that uses something libsae does not read */
    SAE_E_NOT_FOUND,   /* a file, dataset, column or latent that does not exist */
    SAE_E_EXISTS,      /* the output exists and overwriting was not asked for */
    SAE_E_MISMATCH,    /* inputs that do not belong together: other width, other prompts */
    SAE_E_NONFINITE    /* rows hold NaN or Inf, or training diverged */
} sae_status;

/* A few words for a status, such as "not found". Never NULL, also for unknown values. */
SAE_API const char *sae_status_text(sae_status status);

/* What went wrong. Belongs to the caller; may be reused between calls without clearing. */
typedef struct sae_error {
    sae_status status;
    int os_errno;      /* errno of the failing system call, else 0 */
    int64_t offset;    /* byte offset in the input file, else -1 */
    char text[512];    /* one line that names the file and what to do; always NUL-terminated */
} sae_error;

/* The version of the library that is linked, "0.1.0". */
SAE_API const char *sae_version(void);

/* Memory functions of the caller. alloc returns NULL when it cannot; both must be thread-safe. */
typedef struct sae_allocator {
    void *user;
    void *(*alloc)(void *user, size_t bytes);
    void (*free)(void *user, void *block);
} sae_allocator;

/* Receives one line without a newline, on the calling thread of the function that logs. */
typedef void (*sae_log_fn)(void *user, const char *line);

/* Called on the calling thread of a long function. Return non-zero to stop it (SAE_STOPPED).
   stage is a few words ("reading base.h5"), done counts up to total (0: unknown). */
typedef int (*sae_progress_fn)(void *user, const char *stage, uint64_t done, uint64_t total);

typedef struct sae_context_options {
    size_t size;            /* set by _init; identifies the version of this struct */
    unsigned threads;       /* worker threads; 0: one for each processor available. Never changes a result. */
    uint64_t memory_limit;  /* bytes that all handles of the context may hold together; 0: half of the RAM */
    sae_allocator allocator; /* alloc == NULL: malloc and free */
    sae_log_fn log;         /* NULL: silence */
    void *log_user;
    /* false: HDF5 files are read by a worker process with limits of its own, so that a damaged or malicious file
       ends in an error whatever it does to libhdf5. true: in this process, for files you made yourself. */
    bool trusted;
    /* Path of that program; copied. NULL: the variable SAE_HDF5_WORKER, else where libsae is installed or built. */
    const char *hdf5_worker;
    /* CPU time that the worker may take for one answer, a megabyte or so; without any after twice that, it is ended.
       0: 30. */
    unsigned worker_seconds;
} sae_context_options;

/* Carries the allocator, the memory limit, the log and the thread count. One context may serve many threads;
   it must outlive every handle made with it. */
typedef struct sae_context sae_context;

SAE_API void sae_context_options_init(sae_context_options *options);
SAE_API sae_status sae_context_new(sae_context **out, const sae_context_options *options, sae_error *err);
SAE_API void sae_context_free(sae_context *context);
SAE_API unsigned sae_context_threads(const sae_context *context);
SAE_API uint64_t sae_context_memory_limit(const sae_context *context);
/* Bytes held now by the handles of this context. 0 after all were freed: a leak check for tests. */
SAE_API uint64_t sae_context_memory_used(const sae_context *context);

/* Rows borrowed from the caller: row i starts at data + i * stride. stride counts elements, stride >= cols. */
typedef struct sae_view {
    const float *data;
    size_t rows, cols, stride;
} sae_view;

#ifdef __cplusplus
}
#endif
#endif

/* The pages of a verdict in words. */
#ifndef SAEI_VERDICT_PAGE_H
#define SAEI_VERDICT_PAGE_H

#include "io/atomic_file.h"
#include "study/findings.h"

/* The first failure is kept, so that what writes a page reads as text. */
typedef struct saei_verdict_page {
    saei_atomic_file *file;
    const sae_findings *findings;
    sae_status status;
    sae_error *err;
} saei_verdict_page;

void saei_say(saei_verdict_page *page, const char *format, ...) SAE_PRINTF(2, 3);

/* Fills and returns text: "latent 7", or "latents 7 + 9 + 12". */
const char *saei_candidate_name(char *text, size_t bytes, const sae_candidate *candidate);

static inline const sae_condition *saei_page_condition(const saei_verdict_page *page, size_t i)
{
    return &page->findings->study->conditions[i];
}

/* Everything about candidate i. */
void saei_say_candidate(saei_verdict_page *page, size_t i);

/* The label that the candidate tells best, where it does so well: what it can be called. NULL: none. */
const char *saei_candidate_reading(const sae_findings *findings, size_t i);

#endif

#include "report/verdict_page.h"

#include <stdarg.h>
#include <stdio.h>

void saei_say(saei_verdict_page *page, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (page->status == SAE_OK)
        page->status = saei_atomic_file_printf(page->file, page->err, "%s", text);
}

const char *saei_candidate_name(char *text, size_t bytes, const sae_candidate *candidate)
{
    size_t at = (size_t)snprintf(text, bytes, candidate->n_latents > 1 ? "latents" : "latent");
    for (size_t m = 0; m < candidate->n_latents && at + 16 < bytes; m++)
        at += (size_t)snprintf(text + at, bytes - at, m > 0 ? " + %u" : " %u", candidate->latents[m]);
    return text;
}

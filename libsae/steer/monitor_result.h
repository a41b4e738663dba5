/* The inside of a scored dump. */
#ifndef SAEI_MONITOR_RESULT_H
#define SAEI_MONITOR_RESULT_H

#include "sae/monitor.h"

struct sae_monitor_result {
    sae_context *context;
    sae_monitor_summary summary;
    sae_monitor_prompt *prompt; /* [summary.prompts] */
};

sae_status saei_monitor_result_alloc(sae_monitor_result **out, sae_context *context, size_t prompts,
                                     sae_error *err);

#endif

/* What a steering does, as text for attributes and metadata. */
#ifndef SAEI_STEERING_TEXT_H
#define SAEI_STEERING_TEXT_H

#include "base/number.h"
#include "steer/steering.h"

enum { SAEI_STEERING_TEXTS = 8 };

typedef struct saei_steering_text {
    const char *name, *value;
} saei_steering_text;

typedef struct saei_steering_texts {
    size_t n;
    saei_steering_text item[SAEI_STEERING_TEXTS];
    char strength[SAEI_NUMBER_BYTES], mean_norm[SAEI_NUMBER_BYTES];
    char *latents, *weights; /* numbers with commas */
} saei_steering_texts;

/* out must not move afterwards. To be freed also after a failure. */
sae_status saei_steering_texts_make(saei_steering_texts *out, const sae_steering *steering, sae_error *err);
void saei_steering_texts_free(saei_steering_texts *texts, const sae_steering *steering);

#endif

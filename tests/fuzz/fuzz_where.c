/* A condition on columns: parsed, and evaluated where it holds. */
#include "dump/where.h"
#include "fuzz_file.h"

#include <math.h>
#include <string.h>

enum { TEXT_MAX = 4096, COLUMNS_MAX = 64, ROWS = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static double values[ROWS] = {0, 1, -1, 2.5, NAN};
    static char text[TEXT_MAX + 1];
    double *columns[COLUMNS_MAX];
    unsigned char holds[ROWS];
    saei_where *where;
    if (size > TEXT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    sae_status status = saei_where_parse(&where, fuzz_context(), text, NULL);
    FUZZ_REQUIRE((status == SAE_OK) == (where != NULL));
    if (status != SAE_OK)
        return 0;
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        columns[i] = values;
    if (saei_where_columns(where) <= COLUMNS_MAX) {
        saei_where_evaluate(holds, where, columns, ROWS);
        for (size_t i = 0; i < ROWS; i++)
            FUZZ_REQUIRE(holds[i] <= 1);
    }
    saei_where_free(where);
    return 0;
}

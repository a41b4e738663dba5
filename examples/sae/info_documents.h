/* Files of libsae that hold no arrays: monitors, studies and verdicts, which are JSON. */
#ifndef INFO_DOCUMENTS_H
#define INFO_DOCUMENTS_H

#include "command.h"

/* "monitor", "study" or "verdict", by the member "format" of a JSON object; NULL: the file is none of them.
 */
const char *document_kind(const char *path);

/* Reads the whole document as the library does, checks it, and tells what it holds. Returns the exit status.
 */
int show_document(session *s, const char *path, const char *kind, bool json);

#endif

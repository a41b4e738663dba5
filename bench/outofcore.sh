#!/bin/sh
# Trains from a dump ten times its memory limit and from rows in memory, and prints tokens/s of both and the ratio of
# their times:
#     sh bench/outofcore.sh [--full] [--json]
# 2 GB in 200 MB; --full: 20 GB in 2 GB, a quarter of an hour. The dump is written to TMPDIR (/tmp without) and dropped
# from the page cache as the run goes.
exec sh "$(dirname "$0")/run.sh" "$@" outofcore

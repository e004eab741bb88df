/* A profile as Python objects. A part of snapshot.c. */

#ifndef GILDEMO_PROFILE_ROWS_H
#define GILDEMO_PROFILE_ROWS_H

#include "row_type.h"
#include "snapshot.h"

extern const RowSpec raw_profile_spec;
extern const RowSpec raw_code_spec;
extern const RowSpec raw_node_spec;

/* Returns a new gildemo._core.RawProfile, None if there are no sites, or NULL
   with an exception set. */
PyObject *profile_rows_new(const SnapshotTypes *types,
                           const SamplerCopy *copy);

#endif /* GILDEMO_PROFILE_ROWS_H */

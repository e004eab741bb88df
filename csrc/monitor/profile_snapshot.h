/* A SitesCopy as Python objects, for snapshot.c. */

#ifndef GILDEMO_PROFILE_SNAPSHOT_H
#define GILDEMO_PROFILE_SNAPSHOT_H

#include "sites.h"
#include "struct_rows.h"

#define N_PROFILE_TYPES 3

extern const RowSpec profile_specs[N_PROFILE_TYPES];

/* With a type for each of the specs. Returns a RawProfile, or None if there
   are no sites; or NULL with an exception set. */
PyObject *profile_snapshot_new(PyTypeObject *const *types,
                               const SitesCopy *copy);

#endif /* GILDEMO_PROFILE_SNAPSHOT_H */

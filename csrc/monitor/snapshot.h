/* A SamplerCopy as Python objects: struct sequences, typed in _core.pyi. */

#ifndef GILDEMO_SNAPSHOT_H
#define GILDEMO_SNAPSHOT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "row_type.h"
#include "sampler.h"

/* Indexes in SnapshotTypes.types. */
enum {
    SNAPSHOT,
    THREAD_SUMS,
    SEGMENT,
    STATE_CHANGE,
    LONG_HOLD,
    RAW_PROFILE,
    RAW_CODE,
    RAW_NODE,
    N_SNAPSHOT_TYPES
};

/* Heap types: they belong in the module's state. */
typedef struct {
    RowType types[N_SNAPSHOT_TYPES];
} SnapshotTypes;

/* Makes the types, and adds them to the module. Returns 0, or -1 with an
   exception set. */
int snapshot_types_init(SnapshotTypes *types, PyObject *module);
int snapshot_types_traverse(SnapshotTypes *types, visitproc visit, void *arg);
void snapshot_types_clear(SnapshotTypes *types);

/* Returns a new gildemo._core.Snapshot, or NULL with an exception set. */
PyObject *snapshot_new(const SnapshotTypes *types, const SamplerCopy *copy);

#endif /* GILDEMO_SNAPSHOT_H */

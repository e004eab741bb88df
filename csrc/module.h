/* What the files of gildemo._core share. Read module.c first. */

#ifndef GILDEMO_MODULE_H
#define GILDEMO_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "converters.h"
#include "monitor/snapshot.h"

/* The functions in module.c's method table, one file each. */
PyObject *gildemo_spin(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *gildemo_waitpid(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *gildemo_duty_cycle(PyObject *module, PyObject *args,
                             PyObject *kwargs);

/* monitor/monitor_type.c */
extern PyType_Spec gildemo_monitor_spec;

/* Each interpreter that imports the module has its own state. */
typedef struct {
    PyObject *unavailable; /* gildemo.GilMonitorUnavailable */
    SnapshotTypes snapshot_types;
} ModuleState;

#endif /* GILDEMO_MODULE_H */

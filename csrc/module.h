/* What the files of gildemo._core share. Read module.c first. */

#ifndef GILDEMO_H
#define GILDEMO_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <time.h>

/* The parameters of a function, in the order of its signature: the required
   ones first, and the keyword-only ones last. */
typedef struct {
    const char *function;
    const char *const *parameters;
    int required;   /* how many have no default */
    int positional; /* how many may be given by position */
    int total;
} Signature;

/* arguments.c. Each returns 0, or -1 with an exception set that names the
   parameter. */
int gildemo_bind(const Signature *signature, PyObject *const *args,
                 Py_ssize_t nargs, PyObject *kwnames, PyObject **bound);
int gildemo_as_bool(PyObject *arg, int *result);
int gildemo_as_int(PyObject *arg, const char *name, int *result);
int gildemo_as_int64(PyObject *arg, const char *name, int64_t *result);
int gildemo_as_uint64(PyObject *arg, const char *name, uint64_t *result);
int gildemo_as_seconds(PyObject *arg, const char *name, double *result);

/* The functions in module.c's method table, one file each. */
PyObject *gildemo_spin(PyObject *module, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *kwnames);
PyObject *gildemo_waitpid(PyObject *module, PyObject *const *args,
                          Py_ssize_t nargs, PyObject *kwnames);
PyObject *gildemo_duty_cycle(PyObject *module, PyObject *const *args,
                             Py_ssize_t nargs, PyObject *kwnames);

/* monitor.c */
extern PyType_Spec gildemo_monitor_spec;

typedef struct {
    PyObject *unavailable; /* gildemo.GilMonitorUnavailable */
} CoreState;

/* Nanoseconds on the clock of time.monotonic(). Needs no thread state. */
static inline int64_t
monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif /* GILDEMO_H */

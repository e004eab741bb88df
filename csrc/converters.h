/* "O&" converters for PyArg_ParseTupleAndKeywords(). Unlike the built-in ones,
 * their errors name the argument, its value and its range.
 *
 *     IntArgument pid = {"pid", INT_MIN, INT_MAX};
 *     PyArg_ParseTuple(args, "O&", convert_int, &pid)
 */

#ifndef GILDEMO_CONVERTERS_H
#define GILDEMO_CONVERTERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

typedef struct {
    const char *name;
    long long smallest;
    long long largest;
    long long value; /* stays as it is if the argument is not given */
} IntArgument;

typedef struct {
    const char *name;
    uint64_t value;
} UInt64Argument;

typedef struct {
    const char *name;
    double shortest;
    double longest;
    const char *range; /* the last two in words */
    double value;
} SecondsArgument;

/* Each returns 1, or 0 with an exception set. */
int convert_int(PyObject *arg, void *int_argument);
int convert_uint64(PyObject *arg, void *uint64_argument);
int convert_seconds(PyObject *arg, void *seconds_argument);

#endif /* GILDEMO_CONVERTERS_H */

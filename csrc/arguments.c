/* From the arguments of a call to C values.
 *
 * PyArg_ParseTupleAndKeywords() would need a tuple and a dict, which the
 * interpreter has to build for every call, and what Argument Clinic generates
 * is for CPython itself. METH_FASTCALL hands over a C array instead;
 * gildemo_bind() gives each of its values the place of its parameter, and
 * costs about as much as one failed dict look-up.
 */

#include "module.h"

#include <limits.h>

#define LONGEST_SECONDS 1e9

/* Returns the place of a parameter, or -1 if there is none of that name. */
static int
find_parameter(const Signature *signature, PyObject *name)
{
    for (int i = 0; i < signature->total; i++) {
        const char *parameter = signature->parameters[i];
        if (PyUnicode_CompareWithASCIIString(name, parameter) == 0) {
            return i;
        }
    }
    return -1;
}

/* Fills bound[0 .. total-1] with borrowed references; NULL is "not given". */
int
gildemo_bind(const Signature *signature, PyObject *const *args,
             Py_ssize_t nargs, PyObject *kwnames, PyObject **bound)
{
    if (nargs > signature->positional) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes at most %d positional argument%s (%zd given)",
                     signature->function, signature->positional,
                     signature->positional == 1 ? "" : "s", nargs);
        return -1;
    }
    for (int i = 0; i < signature->total; i++) {
        bound[i] = i < nargs ? args[i] : NULL;
    }

    Py_ssize_t nkw = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t k = 0; k < nkw; k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        int i = find_parameter(signature, name);
        if (i < 0) {
            PyErr_Format(PyExc_TypeError,
                         "%s() got an unexpected keyword argument '%U'",
                         signature->function, name);
            return -1;
        }
        if (bound[i] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         "%s() got multiple values for argument '%U'",
                         signature->function, name);
            return -1;
        }
        bound[i] = args[nargs + k];
    }

    for (int i = 0; i < signature->required; i++) {
        if (bound[i] == NULL) {
            PyErr_Format(PyExc_TypeError,
                         "%s() missing required argument '%s' (pos %d)",
                         signature->function, signature->parameters[i], i + 1);
            return -1;
        }
    }
    return 0;
}

int
gildemo_as_bool(PyObject *arg, int *result)
{
    *result = PyObject_IsTrue(arg);
    return *result < 0 ? -1 : 0;
}

/* Returns a new reference to an int, or NULL with TypeError set. */
static PyObject *
as_index(PyObject *arg, const char *name)
{
    if (!PyIndex_Check(arg)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, not %.200s", name,
                     Py_TYPE(arg)->tp_name);
        return NULL;
    }
    return PyNumber_Index(arg);
}

static void
raise_out_of_range(const char *name, const char *range, PyObject *value)
{
    PyObject *text = PyObject_Repr(value);
    if (text == NULL) {
        /* sys.set_int_max_str_digits() forbids to print it. */
        PyErr_Clear();
        PyErr_Format(PyExc_OverflowError,
                     "%s must be %s, not an int of thousands of digits", name,
                     range);
        return;
    }
    PyErr_Format(PyExc_OverflowError, "%s must be %s, not %U", name, range,
                 text);
    Py_DECREF(text);
}

static int
as_integer(PyObject *arg, const char *name, const char *range,
           int64_t smallest, int64_t largest, int64_t *result)
{
    PyObject *index = as_index(arg, name);
    if (index == NULL) {
        return -1;
    }
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow || value < smallest || value > largest) {
        raise_out_of_range(name, range, index);
        Py_DECREF(index);
        return -1;
    }
    Py_DECREF(index);
    *result = value;
    return 0;
}

int
gildemo_as_int(PyObject *arg, const char *name, int *result)
{
    int64_t value = 0;
    int failed = as_integer(arg, name, "from -2**31 to 2**31-1", INT_MIN,
                            INT_MAX, &value);
    *result = (int)value;
    return failed;
}

int
gildemo_as_int64(PyObject *arg, const char *name, int64_t *result)
{
    return as_integer(arg, name, "from -2**63 to 2**63-1", INT64_MIN,
                      INT64_MAX, result);
}

int
gildemo_as_uint64(PyObject *arg, const char *name, uint64_t *result)
{
    PyObject *index = as_index(arg, name);
    if (index == NULL) {
        return -1;
    }
    unsigned long long value = PyLong_AsUnsignedLongLong(index);
    if (value == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        raise_out_of_range(name, "from 0 to 2**64-1", index);
        Py_DECREF(index);
        return -1;
    }
    Py_DECREF(index);
    *result = value;
    return 0;
}

/* A duration has to end, and to fit into an int64_t of nanoseconds. */
int
gildemo_as_seconds(PyObject *arg, const char *name, double *result)
{
    double seconds = PyFloat_AsDouble(arg);
    if (seconds == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError,
                         "%s must be a number of seconds, not %.200s", name,
                         Py_TYPE(arg)->tp_name);
            return -1;
        }
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear();
        seconds = Py_HUGE_VAL;
    }
    if (!(seconds >= 0.0 && seconds <= LONGEST_SECONDS)) {
        PyObject *value = PyFloat_FromDouble(seconds);
        if (value != NULL) {
            PyErr_Format(PyExc_ValueError,
                         "%s must be from 0 to 1e9 seconds, not %R", name,
                         value);
            Py_DECREF(value);
        }
        return -1;
    }
    *result = seconds;
    return 0;
}

/* See converters.h. */

#include "converters.h"

/* Returns a new reference to an int, or NULL with an exception set. */
static PyObject *
as_index(PyObject *arg, const char *name)
{
    if (!PyIndex_Check(arg)) {
        return PyErr_Format(PyExc_TypeError, "%s must be an int, not %.200s",
                            name, Py_TYPE(arg)->tp_name);
    }
    return PyNumber_Index(arg);
}

static void
raise_out_of_range(const char *name, const char *range, PyObject *value)
{
    PyObject *text = PyObject_Repr(value);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        /* sys.set_int_max_str_digits() limits what can be printed. */
        PyErr_Clear();
        text = PyUnicode_FromString("an int of thousands of digits");
    }
    if (text != NULL) {
        PyErr_Format(PyExc_OverflowError, "%s must be %s, not %U", name, range,
                     text);
        Py_DECREF(text);
    }
}

int
convert_int(PyObject *arg, void *int_argument)
{
    IntArgument *result = int_argument;
    PyObject *index = as_index(arg, result->name);
    if (index == NULL) {
        return 0;
    }
    int overflow;
    const long long value = PyLong_AsLongLongAndOverflow(index, &overflow);
    const int is_in_range =
        !overflow && value >= result->smallest && value <= result->largest;
    if (is_in_range) {
        result->value = value;
    }
    else {
        char range[64];
        (void)PyOS_snprintf(range, sizeof(range), "from %lld to %lld",
                            result->smallest, result->largest);
        raise_out_of_range(result->name, range, index);
    }
    Py_DECREF(index);
    return is_in_range;
}

int
convert_uint64(PyObject *arg, void *uint64_argument)
{
    UInt64Argument *result = uint64_argument;
    PyObject *index = as_index(arg, result->name);
    if (index == NULL) {
        return 0;
    }
    const unsigned long long value = PyLong_AsUnsignedLongLong(index);
    const int failed = value == (unsigned long long)-1 && PyErr_Occurred();
    if (failed) {
        PyErr_Clear();
        raise_out_of_range(result->name, "from 0 to 2**64-1", index);
    }
    else {
        result->value = value;
    }
    Py_DECREF(index);
    return !failed;
}

/* Returns 0, or -1 with an exception set. */
static int
as_double(PyObject *arg, const char *name, double *result)
{
    *result = PyFloat_AsDouble(arg);
    if (*result != -1.0 || !PyErr_Occurred()) {
        return 0;
    }
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear(); /* an int that is too large for a double */
        *result = Py_HUGE_VAL;
        return 0;
    }
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError,
                     "%s must be a number of seconds, not %.200s", name,
                     Py_TYPE(arg)->tp_name);
    }
    return -1;
}

int
convert_seconds(PyObject *arg, void *seconds_argument)
{
    SecondsArgument *result = seconds_argument;
    double seconds;
    if (as_double(arg, result->name, &seconds) < 0) {
        return 0;
    }
    /* Written so that it fails for NaN. */
    if (!(seconds >= result->shortest && seconds <= result->longest)) {
        PyObject *value = PyFloat_FromDouble(seconds);
        if (value != NULL) {
            PyErr_Format(PyExc_ValueError, "%s must be %s seconds, not %R",
                         result->name, result->range, value);
            Py_DECREF(value);
        }
        return 0;
    }
    result->value = seconds;
    return 1;
}

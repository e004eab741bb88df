/* See struct_rows.h. */

#include "struct_rows.h"

#include <assert.h>

#define MAX_FIELDS 32

PyTypeObject *
row_type_new(const RowSpec *spec)
{
    PyStructSequence_Field fields[MAX_FIELDS + 1] = {{NULL, NULL}};
    int n = 0;
    for (const Field *field = spec->fields; field->name != NULL; field++) {
        assert(n < MAX_FIELDS);
        fields[n].name = field->name;
        fields[n].doc = field->doc;
        n++;
    }
    PyStructSequence_Desc description = {spec->name, spec->doc, fields, n};
    return PyStructSequence_NewType(&description);
}

static PyObject *
new_value(Kind kind, const void *member)
{
    switch (kind) {
    case INT32:
        return PyLong_FromLong(*(const int32_t *)member);
    case INT64:
        return PyLong_FromLongLong(*(const int64_t *)member);
    case KNOWN_INT32:
        if (*(const int32_t *)member < 0) {
            Py_RETURN_NONE;
        }
        return PyLong_FromLong(*(const int32_t *)member);
    case KNOWN_INT64:
        if (*(const int64_t *)member < 0) {
            Py_RETURN_NONE;
        }
        return PyLong_FromLongLong(*(const int64_t *)member);
    case NATIVE_ID:
        return PyLong_FromUnsignedLong(*(const unsigned long *)member);
    case DOUBLE:
        return PyFloat_FromDouble(*(const double *)member);
    case BOOL:
        return PyBool_FromLong(*(const int *)member);
    case STRING:
        return Py_BuildValue("s", *(const char *const *)member);
    case OBJECT:
        return Py_NewRef(*(PyObject *const *)member);
    }
    Py_UNREACHABLE();
}

PyObject *
row_new(PyTypeObject *type, const RowSpec *spec, const void *item)
{
    PyObject *row = PyStructSequence_New(type);
    const Field *fields = spec->fields;
    for (int i = 0; row != NULL && fields[i].name != NULL; i++) {
        PyObject *value =
            new_value(fields[i].kind, (const char *)item + fields[i].offset);
        if (value == NULL) {
            Py_CLEAR(row);
            break;
        }
        PyStructSequence_SetItem(row, i, value);
    }
    return row;
}

PyObject *
row_list_new(PyTypeObject *type, const RowSpec *spec, const void *items,
             int32_t n, size_t size)
{
    PyObject *list = PyList_New(n);
    for (int32_t i = 0; list != NULL && i < n; i++) {
        const char *item = (const char *)items + (size_t)i * size;
        PyObject *row = row_new(type, spec, item);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}

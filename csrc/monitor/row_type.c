/* See row_type.h. */

#include "row_type.h"

#define MAX_FIELDS 32

int
row_type_init(RowType *type, const RowSpec *spec, PyObject *module)
{
    PyStructSequence_Field fields[MAX_FIELDS + 1] = {{NULL, NULL}};
    int n = 0;
    for (; spec->fields[n].name != NULL; n++) {
        assert(n < MAX_FIELDS);
        fields[n].name = spec->fields[n].name;
        fields[n].doc = spec->fields[n].doc;
    }
    PyStructSequence_Desc description = {spec->name, spec->doc, fields, n};
    type->fields = spec->fields;
    type->type = PyStructSequence_NewType(&description);
    return type->type == NULL ? -1 : PyModule_AddType(module, type->type);
}

PyObject *
row_type_new(const RowType *type, const void *item)
{
    PyObject *row = PyStructSequence_New(type->type);
    const RowField *fields = type->fields;
    for (int i = 0; row != NULL && fields[i].name != NULL; i++) {
        PyObject *value =
            fields[i].value((const char *)item + fields[i].offset);
        if (value == NULL) {
            Py_CLEAR(row);
            break;
        }
        PyStructSequence_SetItem(row, i, value);
    }
    return row;
}

PyObject *
row_type_new_list(const RowType *type, const void *items, int32_t n,
                  size_t item_size)
{
    PyObject *list = PyList_New(n);
    for (int32_t i = 0; list != NULL && i < n; i++) {
        PyObject *row =
            row_type_new(type, (const char *)items + (size_t)i * item_size);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}

PyObject *
row_int32(const void *member)
{
    return PyLong_FromLong(*(const int32_t *)member);
}

PyObject *
row_int32_or_none(const void *member)
{
    if (*(const int32_t *)member < 0) {
        Py_RETURN_NONE;
    }
    return row_int32(member);
}

PyObject *
row_int64(const void *member)
{
    return PyLong_FromLongLong(*(const int64_t *)member);
}

PyObject *
row_int64_or_none(const void *member)
{
    if (*(const int64_t *)member < 0) {
        Py_RETURN_NONE;
    }
    return row_int64(member);
}

PyObject *
row_unsigned_long(const void *member)
{
    return PyLong_FromUnsignedLong(*(const unsigned long *)member);
}

PyObject *
row_double(const void *member)
{
    return PyFloat_FromDouble(*(const double *)member);
}

PyObject *
row_bool(const void *member)
{
    return PyBool_FromLong(*(const int *)member);
}

PyObject *
row_str_or_none(const void *member)
{
    return Py_BuildValue("s", *(const char *const *)member);
}

PyObject *
row_object(const void *member)
{
    return Py_NewRef(*(PyObject *const *)member);
}

/* Makes struct sequences of C structs. A table of fields says which members of
 * the struct a row has, and how each becomes a Python object.
 */

#ifndef GILDEMO_ROW_TYPE_H
#define GILDEMO_ROW_TYPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

/* Returns a new reference to the value of a member of a struct, or NULL with
   an exception set. */
typedef PyObject *(*RowValue)(const void *member);

typedef struct {
    const char *name;
    const char *doc;
    RowValue value; /* makes a Python object of the member */
    size_t offset;  /* of the member in the struct */
} RowField;

/* What a type is made of. The last field has no name. */
typedef struct {
    const char *name;
    const char *doc;
    const RowField *fields;
} RowSpec;

typedef struct {
    PyTypeObject *type; /* a heap type: it belongs in the module's state */
    const RowField *fields;
} RowType;

/* Makes the type, and adds it to the module. Returns 0, or -1 with an
   exception set. */
int row_type_init(RowType *type, const RowSpec *spec, PyObject *module);

/* These return a new reference, or NULL with an exception set. */

/* Returns a row, made of a struct. */
PyObject *row_type_new(const RowType *type, const void *item);
/* Returns a list of rows, made of an array of `n` structs. */
PyObject *row_type_new_list(const RowType *type, const void *items, int32_t n,
                            size_t item_size);

/* RowValues, each for a member of one C type. */
PyObject *row_int32(const void *member);
PyObject *row_int32_or_none(const void *member); /* None if negative */
PyObject *row_int64(const void *member);
PyObject *row_int64_or_none(const void *member); /* None if negative */
PyObject *row_unsigned_long(const void *member);
PyObject *row_double(const void *member);
PyObject *row_bool(const void *member);        /* an int */
PyObject *row_str_or_none(const void *member); /* a char *; None if NULL */
PyObject *row_object(const void *member);      /* a PyObject * */

#endif /* GILDEMO_ROW_TYPE_H */
